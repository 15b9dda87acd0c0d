"""Text as people compare it: folded (case, accents, width) and, for Chinese, by its sound (pinyin)."""

from kangyun.base.text.folding import fold, has_chinese, is_chinese
from kangyun.base.text.pinyin import initials, person_syllables, sound, syllables

__all__ = ["fold", "has_chinese", "initials", "is_chinese", "person_syllables", "sound", "syllables"]
