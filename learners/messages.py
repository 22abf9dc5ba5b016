"""Messages: what a customer writes about, from the text and the language that it is in."""

from typing import ClassVar

import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from interlock.training.dataset import Dataset
from interlock.training.learner import Learner

SAID = {
    "refund": ["please send my money back", "I was charged twice", "bitte das Geld zurück", "doppelt abgebucht"],
    "delivery": ["where is my parcel", "it has not arrived yet", "wo bleibt mein Paket", "noch nicht angekommen"],
    "praise": ["great service, thank you", "I love it", "toller Service, danke", "sehr schön, gerne wieder"],
}
"""By topic: two sentences in English, two in German."""
ENDINGS = ("", "!", " - order {n}", ", Zoë", " since {n} days", " ... {n}")


class Messages(Learner):
    """Words and pairs of words, weighed by how rare they are, behind a logistic regression."""

    metric: ClassVar = "f1_macro"
    threshold: ClassVar = 0.8

    def data(self) -> Dataset:
        """Return 240 messages, made from twelve sentences."""
        rows = [
            (f"{sentence}{ENDINGS[n % len(ENDINGS)].format(n=n)}", "en" if place < 2 else "de", topic)  # noqa: PLR2004
            for topic, sentences in SAID.items()
            for place, sentence in enumerate(sentences)
            for n in range(20)
        ]
        return Dataset.of(pd.DataFrame(rows, columns=["message", "language", "topic"]), target="topic")

    def pipeline(self, params: object) -> BaseEstimator:
        """Return words, language and logistic regression."""
        del params
        words = TfidfVectorizer(ngram_range=(1, 2))
        language = OneHotEncoder(handle_unknown="ignore")
        both = ColumnTransformer([("words", words, "message"), ("language", language, ["language"])])
        return make_pipeline(both, LogisticRegression())


LEARNER = Messages()
