"""The scikit-learn faces: the engine for any table, and the whole recipe for houses."""
