"""The ENGINE "shoal.django.backend": PostgreSQL behind Shoal's router."""
