"""A whole process: the settings of TensorFlow's C++ runtime, and its memory.

They are the business of a program, not of a library: the commands make them, and
importing this package makes none of them. `set_environment` comes before TensorFlow is
imported, the others before its first operation.
"""

import os
import pathlib
import re


def peak_memory_mb(process: int | str = "self") -> int | None:
    """The largest resident set of a process so far, in MiB, where Linux counts it.

    `getrusage` would count what the process that it was forked from had.

    Args:
        process: its number.
    """
    try:
        status = pathlib.Path(f"/proc/{process}/status").read_text(errors="replace")
    except OSError:
        return None
    found = re.search(r"VmHWM:\s+(\d+)", status)
    return int(found[1]) // 1024 if found else None


def set_environment() -> None:
    """Sets the variables that TensorFlow reads when it loads.

    What the user has set stays, except `TF_USE_LEGACY_KERAS`, without which TensorFlow
    Recommenders does not work.
    """
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    # The C++ runtime prints a CUDA error on every machine without a GPU; what matters
    # of its errors reaches Python as exceptions.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Products of float32 in float32 on a GPU too: TensorFlow's default there, TF32,
    # has 10 bits for the mantissa, and scores rank.
    os.environ.setdefault("NVIDIA_TF32_OVERRIDE", "0")


def use_machine(threads: int, kernel: str) -> None:
    """Sets the threads and devices that TensorFlow may use.

    Of a GPU's memory that is what a run needs, as several may share one.

    Args:
        threads: of TensorFlow; 0: one per core.
        kernel: one of `kernels.CHOICES`; "fused", which steps on the CPU, leaves all
            GPUs alone.
    """
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    if kernel == "fused":
        tf.config.set_visible_devices([], "GPU")
    for gpu in tf.config.get_visible_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)


def use_op_determinism() -> None:
    """Holds TensorFlow to deterministic kernels.

    On a CPU a run's bits repeat without it; on a GPU the gradients of lookups are sums
    in an order of their own each time.
    """
    import tensorflow as tf

    tf.config.experimental.enable_op_determinism()


def split_cpu(parts: int) -> None:
    """Makes the CPU appear as several devices, to spread a run without GPUs."""
    import tensorflow as tf

    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(
        cpu, [tf.config.LogicalDeviceConfiguration()] * parts
    )


def fail_without_peer() -> None:
    """Makes a call to a process that is gone fail, not wait for its return."""
    os.environ.setdefault("GRPC_FAIL_FAST", "use_caller")


def log_warnings_only() -> None:
    """Keeps TensorFlow's Python side from reporting each of its decisions."""
    import tensorflow as tf

    tf.get_logger().setLevel("WARNING")
