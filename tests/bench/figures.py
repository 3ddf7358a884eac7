"""What the benches count with."""
import statistics


def med(values):
    values = [v for v in values if v is not None]
    return statistics.median(values) if values else None


def scaled(limit, then, now):
    """What was asked for of a machine on which what stands for it took @then: on one that needs longer for that, @now, the same
    multiple of it. All in one unit."""
    return max(limit, limit * now / then) if now else limit
