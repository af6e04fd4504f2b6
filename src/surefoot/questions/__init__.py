"""Questions with accepted answers, gold documents and the steps that lead to them."""
