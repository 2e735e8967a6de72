// {{ name }}, compiled by tinyseg {{ version }} for its own engine. Do not edit.
//
// SHA-256 {{ sha256 }}
#include "model_program.h"

{% for header in headers -%}
#include "{{ header }}"
{% endfor -%}

// Firmware may place the program in a section of its own.
#ifdef TINYSEG_MODEL_SECTION
#define MODEL_SECTION __attribute__((section(TINYSEG_MODEL_SECTION)))
#else
#define MODEL_SECTION
#endif

namespace {

{% for region in regions -%}
{% if region.section -%}
__attribute__((section("{{ region.section }}")))
{% endif -%}
alignas(16) uint8_t region_{{ loop.index0 }}[{{ region.bytes }}];
{% endfor %}
}  // namespace

const tinyseg::MutableBytes kModelRegions[] = {
{%- for region in regions %}
    {region_{{ loop.index0 }}, sizeof(region_{{ loop.index0 }})},
{%- endfor %}
};

const tinyseg::engine::KernelTable kModelKernels = {{ "{{" }}
{%- for kernel in kernels %}
    {{ kernel }},
{%- endfor %}
{{ "}}" }};

alignas(16) MODEL_SECTION const unsigned char g_program[] = {
{{ content }}
};
