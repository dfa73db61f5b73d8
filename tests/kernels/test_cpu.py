"""What the processor has is asked of LLVM, or of the setting that overrules it."""

import pytest

from efficientdl.kernels import cpu


@pytest.fixture
def asked_anew():
    cpu.features.cache_clear()
    yield
    cpu.features.cache_clear()


@pytest.mark.usefixtures("asked_anew")
@pytest.mark.parametrize(
    ("name", "listed", "wanted"),
    [
        (None, "+avx2,-avx512f", {"avx2"}),
        ("generic", "", set()),
        ("haswell", None, set()),
    ],
)
def test_settings_leave_no_more_than_they_name(
    monkeypatch: pytest.MonkeyPatch, name: str | None, listed: str | None, wanted: set[str]
):
    monkeypatch.setattr(cpu.config, "CPU_NAME", name)
    monkeypatch.setattr(cpu.config, "CPU_FEATURES", listed)
    assert cpu.features() == wanted
    assert not cpu.has(cpu.AVX512, cpu.VNNI)


@pytest.mark.usefixtures("asked_anew")
def test_avx_can_be_switched_off(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cpu.config, "ENABLE_AVX", 0)
    assert not any(name.startswith("avx") for name in cpu.features())


def test_no_other_processor_has_an_instruction_of_x86(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cpu.platform, "machine", lambda: "aarch64")
    assert cpu.has()
    assert not cpu.has(cpu.AVX2)
