"""From a corpus and questions to judged passages: pools, annotation sheets, agreement, and one judgement of many."""
