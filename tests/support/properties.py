"""How long an example of a property may take: as long as a busy machine takes. Imported for its
effect, before any property."""

from hypothesis import HealthCheck, settings

# What the default profile says besides, as that nothing is drawn at random in CI, stays.
settings.register_profile(
    "patient", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("patient")
