"""For Django projects: put ``tiamat.compat.django`` into INSTALLED_APPS."""
