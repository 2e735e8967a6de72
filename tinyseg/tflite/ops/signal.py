"""Custom operators of TFLM that no segmentation network has; nobody has looked at them."""

from __future__ import annotations

from tinyseg.tflite.ops.op import family

SIGNAL = family(
    """
    CIRCULAR_BUFFER SignalDelay SignalEnergy SignalFftAutoScale SignalFilterBank
    SignalFilterBankLog SignalFilterBankSpectralSubtraction SignalFilterBankSquareRoot
    SignalFramer SignalIrfft SignalOverlapAdd SignalPCAN SignalRfft SignalStacker SignalWindow
    TFLite_Detection_PostProcess
    """,
    counted=False,
)
