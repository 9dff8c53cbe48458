/** The completion scripts, in the shells themselves. */
import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { views } from '../../src/surfaces/view.ts'
import { entry, House } from './house.ts'

/** A house whose PATH has `holdfast`. */
function houseOnPath(): House {
  const house = new House()
  const bin = join(house.scratch, 'bin')
  house.write('holdfast', `#!/bin/sh\nexec ${process.execPath} ${entry} "$@"\n`, bin)
  chmodSync(join(bin, 'holdfast'), 0o755)
  house.environment.PATH = `${bin}:${house.environment.PATH}`
  return house
}

const find = (name: string) =>
  (process.env.PATH ?? '')
    .split(':')
    .map(at => join(at, name))
    .find(existsSync)

const bash = find('bash')
const zsh = find('zsh')
const fish = find('fish')

/** What bash offers for the last of the words. */
function offered(house: House, ...words: string[]): string[] {
  const script = `
    source <(holdfast completion bash)
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
    $(complete -p holdfast | sed 's/.*-F \\([^ ]*\\) .*/\\1/')
    printf '%s\\n' "\${COMPREPLY[@]}"`
  const options = { cwd: house.repo, env: house.environment, encoding: 'utf8' } as const
  const argv = ['--norc', '-c', script, 'bash', 'holdfast', ...words]
  return execFileSync(bash ?? '', argv, options)
    .split('\n')
    .filter(Boolean)
}

test.skipIf(bash === undefined)('bash completes commands, flags and their values', () => {
  const house = houseOnPath()
  expect(offered(house, '')).toEqual(expect.arrayContaining(['run', 'status', 'ls', 'completion']))
  expect(offered(house, 'ca')).toEqual(['cancel'])
  expect(offered(house, 'run', '--per')).toEqual(['--permissions'])
  const modes = ['read-only', 'workspace', 'full']
  expect(offered(house, 'run', '--permissions', '')).toEqual(modes)
  expect(offered(house, 'run', '--permissions', '=', 'w')).toEqual(['workspace'])
  expect(offered(house, 'run', '--permissions', '=')).toEqual(modes)
  expect(offered(house, 'run', '-a', 'co')).toEqual(['codex', 'copilot', 'codex-acp', 'command'])
  expect(offered(house, 'worker', 'st')).toEqual(['start', 'stop', 'status'])
  expect(offered(house, 'worktree', '')).toEqual(['ls', 'add', 'path', 'rm'])
  expect(offered(house, 'handoff', 'x', '--to', '')).toEqual(['local', 'worktree'])
  expect(offered(house, 'run', '--changes', 't')).toEqual(['tracked'])
  expect(offered(house, 'run', '--fallback', 'cl')).toEqual(['claude', 'claude-acp'])
  expect(offered(house, 'run', '--prompt-file', 'ke')).toEqual(['kept.txt'])
  expect(offered(house, 'run', 'command', '--', 'ke')).toEqual(['kept.txt'])
  expect(existsSync(house.home)).toBe(false)
})

test.skipIf(bash === undefined)('bash completes tasks by name and id', async () => {
  const house = houseOnPath()
  const id = await house.submit(['command', '--', 'true', 'to test'])
  await house.wait(id)
  const { name } = await house.task(id)
  expect(offered(house, 'result', '')).toEqual([name, id])
  expect(offered(house, 'result', id.slice(0, 4))).toEqual([id])
  expect(offered(house, 'cancel', 'no-such')).toEqual([])
})

test.skipIf(zsh === undefined)('zsh takes the script (skipped where there is no zsh)', () => {
  const house = houseOnPath()
  const script = `autoload -Uz compinit; compinit -D; source <(holdfast completion zsh)
    [ "\${_comps[holdfast]}" = _holdfast ]`
  execFileSync(zsh ?? '', ['-fc', script], { env: house.environment })
})

test.skipIf(fish === undefined)('fish offers commands (skipped where there is no fish)', () => {
  const house = houseOnPath()
  const offers = (typed: string) => {
    const script = `holdfast completion fish | source; complete -C '${typed}'`
    const options = { env: house.environment, encoding: 'utf8' } as const
    return execFileSync(fish ?? '', ['-c', script], options)
  }
  expect(offers('holdfast ca')).toMatch(/^cancel\t/)
  // What a verb of one command is called, another command is too.
  expect(offers('holdfast worker run --s')).toMatch(/^--slots\t.*\n$/)
})

test('the script comes as JSON too; a shell that we do not know is refused', async () => {
  const house = new House()
  const { script } = views.completion.parse(
    JSON.parse(await house.ok(['completion', 'fish', '--json'])),
  )
  expect(script).toContain("complete -c holdfast -n __fish_use_subcommand -a run -d 'Hand a task")
  expect((await house.run(['completion', 'tcsh'])).code).toBe(2)
  expect((await house.run(['completion'])).code).toBe(2)
})

test('names are offered newest first, each once, and ids with what they mean', async () => {
  const house = new House()
  symlinkSync('/bin/true', join(house.scratch, 'twice'))
  const first = await house.submit(['command', '--', join(house.scratch, 'twice')])
  const second = await house.submit(['command', '--', join(house.scratch, 'twice')])
  await house.run(['wait', first, second])
  const { name } = await house.task(first)
  expect(await house.ok(['completion', 'tasks'])).toBe(
    `${name}\tsucceeded\n${second}\t${name}, succeeded\n${first}\t${name}, succeeded\n`,
  )
})
