/** On a disk that folds names only the name itself counts. Here none does: it is told that it does. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { makeNameLook } from '../../../src/worktree/files/names.ts'
import { parsePath } from '../../../src/worktree/files/paths.ts'
import { scratchDirectory } from '../../scratch.ts'

const path = (text: string) => parsePath(Buffer.from(text))

test('a name is there if each of its parts is there as it is written', () => {
  const root = scratchDirectory()
  mkdirSync(join(root, 'Docs'))
  writeFileSync(join(root, 'Docs', 'Readme'), '')
  writeFileSync(join(root, 'über'.normalize('NFD')), '')
  const isNamed = makeNameLook(root, true)
  expect(isNamed(path('Docs/Readme'))).toBe(true)
  expect(isNamed(path('Docs'))).toBe(true)
  for (const other of ['Docs/README', 'docs/Readme', 'docs', 'Docs/Readme/x', 'elsewhere/x']) {
    expect(isNamed(path(other))).toBe(false)
  }
  expect(isNamed(path('über'.normalize('NFC')))).toBe(true)
})

test('elsewhere nobody asks', () => {
  expect(makeNameLook(scratchDirectory())(path('nowhere'))).toBe(true)
})
