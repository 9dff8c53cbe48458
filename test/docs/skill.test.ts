/** The Agent Skill: as the specification wants it, and with no command that the program does not know. */
import { existsSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { Command } from '../../src/surfaces/cli/command.ts'
import { parseInput } from '../../src/surfaces/cli/flags.ts'
import { commands } from '../../src/surfaces/cli/main.ts'

const root = new URL('../../', import.meta.url)
const read = (path: string) => readFileSync(new URL(path, root), 'utf8')
const [, front = '', body = ''] =
  /^---\n(.*?)\n---\n(.*)$/s.exec(read('skills/holdfast/SKILL.md')) ?? []

const STANDARD = ['name', 'description', 'license', 'compatibility', 'metadata', 'allowed-tools']

test('its front matter is standard fields alone, each on a line of its own', () => {
  const fields = front.split('\n').map(line => /^([a-z-]+): (\S.*)$/.exec(line)?.slice(1) ?? [line])
  expect(fields.filter(([name = '', text]) => !STANDARD.includes(name) || !text)).toEqual([])
  const { name, description = '', compatibility = '' } = Object.fromEntries(fields)
  expect(name).toBe('holdfast')
  expect(description.length).toBeLessThanOrEqual(1024)
  expect(compatibility.length).toBeLessThanOrEqual(500)
  // Readers of YAML take a colon and a blank for another field.
  expect(`${description}${compatibility}`).not.toMatch(/: | #/)
})

const blocks = [...body.matchAll(/```\n(.*?)```/gs)].flatMap(([, text = '']) =>
  text.trim().split('\n'),
)
const inline = [...body.replace(/```.*?```/gs, '').matchAll(/`(holdfast\s[^`]*)`/g)].map(
  ([, text = '']) => text.replace(/\s+/g, ' '),
)

/** As a shell reads plain words and words in double quotes. */
const wordsOf = (line: string) =>
  [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '')

test('each command is one plain command, which the program knows with all its flags', async () => {
  expect(blocks.length).toBeGreaterThan(15)
  for (const line of [...blocks, ...inline]) {
    const [program, name = '', ...words] = wordsOf(line)
    expect([line, program, name in commands]).toEqual([line, 'holdfast', true])
    expect(line).not.toMatch(/[|&;<>$`\\*]|\bsleep\b|\btmux\b/)
    const command = await commands[name]?.()
    if (command !== undefined) expect(() => parseInput(command, words), line).not.toThrow()
  }
})

test('each flag that it names beside is one of `run`', async () => {
  const { run } = await import('../../src/surfaces/cli/commands/run.ts')
  const flags = [...body.matchAll(/`(--[a-z-]+[^`]*)`/g)].map(([, text = '']) => wordsOf(text))
  expect(flags.length).toBeGreaterThan(5)
  const isEveryCommands = (flag: string | undefined) => flag === '--help' || flag === '--json'
  for (const words of flags.filter(([flag]) => !isEveryCommands(flag))) {
    const given = words.length > 1 ? words : [...words, 'a value']
    expect(() => parseInput(run as Command, given), words.join(' ')).not.toThrow()
  }
})

test('the exit codes that it names are those of the reference', () => {
  const codes = (text: string) => [...text.matchAll(/^\| (\d+) \|/gm)].map(([, code]) => code)
  expect(codes(body)).toEqual(codes(read('docs/reference/exit-codes.md')))
})

test('the lists of plugins name what is there', () => {
  const { plugins } = JSON.parse(read('.agents/plugins/marketplace.json'))
  for (const { name, source } of plugins) {
    const manifest = JSON.parse(read(`${source.path}/plugin.json`))
    expect([name, existsSync(new URL(`${source.path}/mcp.json`, root))]).toEqual([
      manifest.name,
      true,
    ])
  }
})
