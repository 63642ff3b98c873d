"""Names of the files of a report, in `/opt/ml/output/data` and where scripts/evaluate writes them."""

REPORT = "report.html"
MODEL_QUALITY = "evaluation.json"
MODEL_CARD = "model_card.json"
ISSUES = "issues.csv"
EVIDENCE = "evidence.npz"
"""What the report shows and what it was computed from, for the console."""
ALL = (REPORT, MODEL_QUALITY, MODEL_CARD, ISSUES, EVIDENCE)
