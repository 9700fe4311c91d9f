"""The pages and their parts: with app.py, the only code that knows of Streamlit."""
