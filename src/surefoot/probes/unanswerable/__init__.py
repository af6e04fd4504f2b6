"""The unanswerable probe: does a model admit that no passage answers, and recognise when one does?"""
