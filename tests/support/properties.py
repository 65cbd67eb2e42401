"""Let an example of a property take as long as a busy machine needs. Import this module for its
effect, before any property."""

from hypothesis import HealthCheck, settings

# The rest of the default profile stays, for example that CI draws nothing at random.
settings.register_profile(
    "patient", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("patient")
