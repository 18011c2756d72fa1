"""Where the views are."""

from django.urls import path

from . import views

urlpatterns = [
    path("orders", views.orders),
    path("orders/<uuid:order_id>", views.one_order),
    path("report", views.report),
]
