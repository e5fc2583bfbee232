"""What notebooks show: HTML of models and results, and the line that lives while a fit runs."""


class InNotebooks:
    """An estimator that notebooks show as a table and learning curves."""

    def _repr_html_(self) -> str:
        from cnn_core.notebook.models import html_of

        return html_of(self)
