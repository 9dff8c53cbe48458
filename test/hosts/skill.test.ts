/** A skill among somebody else's: what is theirs stays to the byte. */
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import {
  digestOf,
  lookAtSkill,
  missingDirectories,
  putSkill,
  takeOutSkill,
} from '../../src/hosts/skill.ts'
import { scratchDirectory } from '../scratch.ts'

const content = Buffer.from('ours\n')
const ours = [digestOf('older\n'), digestOf(content)]

test('it is put there, known again, and taken out with the directories that were made for it', () => {
  const root = scratchDirectory()
  const directory = join(root, 'a/skills/holdfast')
  const made = missingDirectories(directory)
  expect(made).toEqual([join(root, 'a'), join(root, 'a/skills'), directory])
  expect(lookAtSkill(directory, content, [])).toBe('missing')
  putSkill(directory, content)
  expect(lookAtSkill(directory, content, [])).toBe('there')
  writeFileSync(join(directory, 'SKILL.md'), 'older\n')
  expect(lookAtSkill(directory, content, ours)).toBe('outdated')
  expect(lookAtSkill(directory, content, [])).toBe('in_the_way')
  // What a death in the middle of writing leaves.
  writeFileSync(join(directory, 'SKILL.md.new'), 'ha')
  expect(takeOutSkill(directory, ours, made)).toBe(true)
  expect(readdirSync(root)).toEqual([])
  expect(takeOutSkill(directory, ours, made)).toBe(true)
})

test.each(['the directory', 'the file'])(
  'through a link in the place of %s nothing is written or removed',
  what => {
    const root = scratchDirectory()
    const theirs = join(root, 'checkout')
    const directory = join(root, 'skills/holdfast')
    mkdirSync(theirs)
    mkdirSync(join(root, 'skills'))
    writeFileSync(join(theirs, 'SKILL.md'), 'older\n')
    if (what === 'the directory') symlinkSync(theirs, directory)
    else {
      mkdirSync(directory)
      symlinkSync(join(theirs, 'SKILL.md'), join(directory, 'SKILL.md'))
    }
    expect(lookAtSkill(directory, content, ours)).toBe('in_the_way')
    expect(takeOutSkill(directory, ours, [])).toBe(false)
    writeFileSync(join(theirs, 'SKILL.md'), content)
    expect(lookAtSkill(directory, content, ours)).toBe('there')
    expect(takeOutSkill(directory, ours, [])).toBe(false)
    expect(readFileSync(join(theirs, 'SKILL.md'), 'utf8')).toBe('ours\n')
  },
)
