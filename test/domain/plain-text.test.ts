import { expect, test } from 'vitest'
import { plainText } from '../../src/domain/plain-text.ts'

test.each([
  ['colours', '\u001b[1;31mred\u001b[0m', 'red'],
  ['a title', '\u001b]0;owned\u0007text', 'text'],
  ['a link', '\u001b]8;;http://x\u001b\\text\u001b]8;;\u001b\\', 'text'],
  ['what the clipboard is told', 'a\u001b]52;c;cm0=\u0007b', 'ab'],
  ['eight-bit commands', 'a\u009b2Jb\u0085c', 'abc'],
  ['a reset', 'a\u001bcb', 'ab'],
  ['what is not ended', 'a\u001b]0;never', 'a'],
  ['an escape at the end', 'a\u001b', 'a'],
  ['a line that hides another', 'rm -rf /\rls', 'rm -rf /ls'],
  ['another direction', 'a\u202egnp.exe', 'agnp.exe'],
  ['text', 'a\tb\nünïcödé ✔ [1] ]', 'a\tb\nünïcödé ✔ [1] ]'],
])('of %s, what is text', (_, text, plain) => expect(plainText(text)).toBe(plain))
