/** A repository of somebody who means harm: everything in it that git or we might run or follow. */
import { createHash } from 'node:crypto'
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { houseWithCodex } from './fake-codex.ts'
import type { House } from './house.ts'

const HOOKS = [
  ...['applypatch-msg', 'commit-msg', 'fsmonitor-watchman', 'post-applypatch', 'post-checkout'],
  ...['post-commit', 'post-index-change', 'post-merge', 'post-rewrite', 'pre-applypatch'],
  ...['pre-auto-gc', 'pre-commit', 'pre-merge-commit', 'pre-push', 'prepare-commit-msg'],
  ...['reference-transaction', 'sendemail-validate'],
]

/** A terminal that it is written to has another title. */
const ESCAPE = '\u001b]0;x\u0007'
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
const anyEscape = /[\u0007\u001b]/

/** Every file below, with what it is; `except` are paths that are left out, with what is in them. */
function filesOf(directory: string, except: readonly string[] = []): Record<string, string> {
  const found: Record<string, string> = {}
  const look = (below: string) => {
    for (const name of readdirSync(join(directory, below))) {
      const path = below === '' ? name : `${below}/${name}`
      if (except.includes(path)) continue
      const full = join(directory, path)
      const stats = lstatSync(full)
      if (stats.isDirectory()) look(path)
      else if (stats.isSymbolicLink()) found[path] = `-> ${readlinkSync(full)}`
      else found[path] = createHash('sha256').update(readFileSync(full)).digest('hex')
    }
  }
  look('')
  return found
}

/** What we may write into a repository. */
const OURS = ['.git/objects', '.git/refs/holdfast', '.git/worktrees', '.git/packed-refs']

/** `victim`: what must not change. `canaries`: what was run leaves a file of its name there. */
function makeHostile(house: House) {
  const victim = join(house.scratch, 'victim')
  const canaries = join(house.scratch, 'canaries')
  mkdirSync(canaries)
  house.write('secret.env', 'TOP SECRET\n', victim)
  house.write('setup.sh', `#!/bin/sh\ntouch '${canaries}/codex-set-up'\n`, victim)
  const payload = (name: string) => {
    const path = join(house.scratch, 'payloads', name)
    const script = `#!/bin/sh\ntouch '${canaries}/${name}'\nexit 1\n`
    house.write(name, script, join(house.scratch, 'payloads'))
    lstatSync(path)
    return path
  }
  const run = (name: string) => `sh '${payload(name)}'`

  for (const [name, content] of Object.entries({
    'new\nline': 'x\n',
    '\u001b]0;title\u0007\u001b[31mred': 'x\n',
    [`--upload-pack=${canaries}`]: 'x\n',
    '-rf': 'x\n',
    '$(touch canary)': 'x\n',
    'dir/kept.txt': 'x\n',
    '.gitattributes': '* filter=unset diff=planted merge=unset\n',
    '.worktreeinclude': 'secret.env\n../victim/secret.env\n/../victim/\nlinked/\n',
    '.gitignore': 'secret.env\nlinked\n*.ignored\n',
    '.gitmodules': [
      '[submodule "sub"]\n\tpath = sub',
      `\turl = "ext::sh -c 'touch ${canaries}/url'"\n\tupdate = "!touch '${canaries}/update'"`,
      `[submodule "../../../victim"]\n\tpath = ../victim\n\turl = -u${canaries}\n`,
    ].join('\n'),
  })) {
    house.write(name, content)
  }
  symlinkSync('../victim', join(house.repo, 'out'))
  symlinkSync('../victim', join(house.repo, '.codex'))
  symlinkSync('../victim/secret.env', join(house.repo, 'secret.env'))
  symlinkSync(victim, join(house.repo, 'linked'))
  house.git('add', '.')
  const head = house.git('rev-parse', 'HEAD').trim()
  house.git('update-index', '--add', '--cacheinfo', `160000,${head},sub`)
  house.git('commit', '--quiet', '--message=hostile')
  house.git('switch', '--quiet', '--create', 'a;touch${IFS}x$(touch${IFS}y)')

  for (const hook of HOOKS) {
    writeFileSync(
      join(house.repo, '.git/hooks', hook),
      `#!/bin/sh\ntouch '${canaries}/hook-${hook}'\n`,
      { mode: 0o755 },
    )
  }
  const quote = (text: string) => JSON.stringify(text)
  const planted = (name: string) => quote(run(name))
  house.write(
    'included',
    `[core]\n\tfsmonitor = ${planted('fsmonitor')}\n\tpager = ${planted('pager')}\n`,
    join(house.repo, '.git'),
  )
  writeFileSync(
    join(house.repo, '.git/config'),
    `[include]\n\tpath = included
[core]\n\thooksPath = ${quote(join(house.repo, '.git/hooks'))}
\tsshCommand = ${planted('ssh')}\n\teditor = ${planted('editor')}\n\taskPass = ${quote(payload('askpass'))}
\talternateRefsCommand = ${planted('alternates')}\n\tgitProxy = ${planted('proxy')}
[diff]\n\texternal = ${planted('diff')}
[diff "planted"]\n\tcommand = ${planted('diff-driver')}\n\ttextconv = ${planted('textconv')}
[commit]\n\tgpgSign = true\n[tag]\n\tgpgSign = true\n[gpg]\n\tprogram = ${quote(payload('gpg'))}
[credential]\n\thelper = ${quote(`!${run('credential')}`)}
[interactive]\n\tdiffFilter = ${planted('diff-filter')}
[alias]\n\tstatus = ${quote(`!${run('alias')}`)}
[submodule]\n\trecurse = true
[submodule "sub"]\n\tactive = true\n\turl = ${quote(`ext::${run('submodule-url')}`)}
\tupdate = ${quote(`!${run('submodule-update')}`)}
[protocol]\n\tallow = always
[remote "origin"]\n\turl = ${quote(`ext::${run('remote')}`)}\n\tuploadpack = ${planted('uploadpack')}
\tpromisor = true
`,
    { flag: 'a' },
  )
  return { victim, canaries }
}

test('a hostile repository runs nothing, reaches nothing outside, and widens nothing', async () => {
  const house = houseWithCodex('begin; finish done')
  const { victim, canaries } = makeHostile(house)
  const set = (file: object) => house.write('holdfast.json', JSON.stringify(file))

  // It asks for more than a repository may.
  for (const wish of [
    { permissions: 'full' },
    { notify: [`file:${victim}/told`] },
    { notify: [`command:${victim}/setup.sh`] },
    { [`agent${ESCAPE}`]: 'codex' },
  ]) {
    set(wish)
    const run = await house.run(['run', 'command', '--', 'true'])
    expect([wish, run.code, run.stdout]).toEqual([wish, 2, ''])
    expect(run.stderr).toContain('holdfast.json')
    expect(run.stderr).not.toMatch(anyEscape)
  }
  const command = ['sh', '-c', `touch '${canaries}/set-up'`, ESCAPE]
  set({ setup: command, cleanup: command, directories: { '../victim': 'copy' } })
  expect((await house.run(['run', 'command', '--', 'true'])).code).toBe(2)
  set({
    ...{ setup: command, cleanup: command, verify: command },
    directories: { linked: 'symlink' },
  })

  // It is asked for by names that lead elsewhere.
  for (const words of [
    ['--name', '../../victim'],
    ['--name', '\u001b[31m'],
    ['--worktree', '../../victim'],
  ]) {
    const run = await house.run(['run', ...words, 'command', '--', 'true'])
    expect([words, run.code, run.stdout]).toEqual([words, 2, ''])
  }

  const before = { victim: filesOf(victim), repo: filesOf(house.repo, OURS) }
  const id = await house.submitScript(
    `echo agent >made.txt; echo changed >dir/kept.txt; printf x >"$(printf 'an\\nother')"
    ln -s '${victim}' mine; ls -a`,
  )
  const task = await house.wait(id)
  expect(task).toMatchObject({ state: 'succeeded', setUp: { command: { trusted: false } } })
  const tree = house.worktree(id)
  expect(existsSync(join(tree, 'secret.env'))).toBe(false)
  expect(existsSync(join(tree, 'linked'))).toBe(false)
  const inTree = filesOf(tree, ['.git'])
  expect(inTree).toMatchObject({ out: '-> ../victim', '.codex': '-> ../victim' })

  const patch = await house.ok(['diff', id])
  expect(patch).not.toContain('TOP SECRET')
  const look = ['run', 'codex', 'look', '--name', 'verified', '--permissions', 'full', '--wait']
  const verified = await house.run(look)
  expect([verified.code, verified.stderr]).toEqual([
    0,
    expect.stringMatching(/^verify is not run/m),
  ])
  expect(verified.stderr).toMatch(/^set-up is not run/m)
  expect(verified.stderr).not.toMatch(anyEscape)
  for (const words of [
    ...[['logs', id], ['status'], ['status', id], ['status', 'verified']],
    ['gc', '--dry-run'],
  ]) {
    expect(await house.ok(words), words.join(' ')).not.toMatch(anyEscape)
  }
  await house.ok(['archive', id])
  expect(existsSync(tree)).toBe(false)
  await house.ok(['restore', id])
  expect(filesOf(tree, ['.git'])).toEqual(inTree)
  expect({ victim: filesOf(victim), repo: filesOf(house.repo, OURS) }).toEqual(before)

  await house.ok(['apply', id])
  const { 'dir/kept.txt': _kept, ...others } = before.repo
  const after = filesOf(house.repo, OURS)
  expect(after).toMatchObject({ ...others, mine: `-> ${victim}` })
  expect(
    Object.keys(after)
      .filter(path => before.repo[path] === undefined)
      .sort(),
  ).toEqual(['an\nother', 'made.txt', 'mine'])
  await house.ok(['apply', '--undo', id])
  expect({ victim: filesOf(victim), repo: filesOf(house.repo, OURS) }).toEqual(before)
  await house.ok(['branch', id, 'taken'])
  expect(await house.ok(['doctor'])).not.toMatch(anyEscape)
  expect({ victim: filesOf(victim), canaries: readdirSync(canaries) }).toEqual({
    victim: before.victim,
    canaries: [],
  })

  // The traps are real ones: plain git walks into them, though some of it makes git give up.
  for (const words of [['status'], ['commit', '--allow-empty', '--message=x']]) {
    try {
      house.git(...words)
    } catch {
      // What it ran by then is what counts.
    }
  }
  expect(readdirSync(canaries)).toContain('fsmonitor')
})
