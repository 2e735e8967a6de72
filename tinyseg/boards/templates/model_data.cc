// {{ name }}, exported by tinyseg {{ version }}. Do not edit.
//
// SHA-256 {{ sha256 }}

// Firmware may place the model in a section of its own.
#ifdef TINYSEG_MODEL_SECTION
#define MODEL_SECTION __attribute__((section(TINYSEG_MODEL_SECTION)))
#else
#define MODEL_SECTION
#endif

extern const unsigned char g_model[];

alignas(16) MODEL_SECTION const unsigned char g_model[] = {
{{ content }}
};
