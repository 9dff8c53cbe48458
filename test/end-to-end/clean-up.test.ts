/** What is run before a worktree is put away. */
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { confinedTest, visibleParent } from '../confined.ts'
import { eventually } from '../eventually.ts'
import { House } from './house.ts'

/** Its clean-up says what it relies on, and does what a file beside the house says. */
const SCRIPT = `echo "$PWD $HOLDFAST_TASK $HOLDFAST_WORKTREE $CODEX_SOURCE_TREE_PATH $HOLDFAST_PORT"
. "$HOME/deed"
`

function houseWithCleanUp(settings: object = {}, parent?: string): House {
  const house = new House({}, parent)
  house.write('tools/tidy.sh', SCRIPT)
  house.write('holdfast.json', JSON.stringify({ cleanup: 'tools/tidy.sh', ...settings }))
  house.git('add', '.')
  house.git('commit', '--quiet', '--message=clean-up')
  return house
}

const deed = (house: House, script: string) => writeFileSync(join(house.scratch, 'deed'), script)

async function worked(house: House): Promise<string> {
  const id = await house.submitScript('echo agent > made.txt')
  await house.wait(id)
  return id
}

function log(house: House, id: string, number = 1): string {
  const file = join(house.home, 'tasks', id, 'clean-up', String(number), 'stderr')
  return existsSync(file) ? readFileSync(file, 'utf8') : ''
}

test('it runs once it is trusted, and what it deletes comes back: ignored, untracked and changed', async () => {
  const house = houseWithCleanUp()
  deed(house, 'rm -f ignored.env made.txt; echo changed > kept.txt; echo of the clean-up > new.txt')
  const untrusted = await worked(house)
  const told = await house.run(['archive', untrusted])
  expect([told.code, told.stderr]).toEqual([
    0,
    expect.stringContaining('clean-up is not run: tools/tidy.sh is not trusted'),
  ])
  expect(log(house, untrusted)).toBe('')

  const shown = await house.ok(['trust', '--yes'])
  expect(shown).toContain('names this clean-up (holdfast.json):')
  const run = await house.run(['run', 'command', '--', 'sh', '-c', 'echo agent > made.txt'])
  expect(run.stderr).toContain('clean-up: tools/tidy.sh')
  const id = run.stdout.trim()
  const { worktree } = await house.wait(id)
  const tree = house.worktree(id)
  house.write('ignored.env', 'SECRET=1\n', tree)
  expect((await house.ok(['archive', id])).trim()).toBe(`archived ${id}`)
  expect(log(house, id)).toBe(`${tree} ${id} ${tree} ${house.repo} ${worktree?.port}\n`)
  expect(existsSync(tree)).toBe(false)

  const restored = await house.run(['restore', id])
  expect(restored.code).toBe(0)
  const ref = `refs/holdfast/${id}/snapshot/2`
  expect(restored.stderr).toContain('what that took away outside of it is not back')
  expect(restored.stderr).toContain(`what was in it after its clean-up is kept: git show ${ref}`)
  const read = (name: string) => readFileSync(join(tree, name), 'utf8')
  expect([read('made.txt'), read('kept.txt'), read('ignored.env')]).toEqual([
    'agent\n',
    'one\ntwo\nthree\n',
    'SECRET=1\n',
  ])
  expect(existsSync(join(tree, 'new.txt'))).toBe(false)
  expect(house.git('show', `${ref}:new.txt`)).toBe('of the clean-up\n')

  // Of one that deletes ignored files alone, one snapshot says all.
  deed(house, 'rm ignored.env')
  await house.ok(['archive', id])
  expect(log(house, id, 3)).toContain(tree)
  const refs = house.git('for-each-ref', '--format=%(refname)', `refs/holdfast/${id}/snapshot/`)
  expect(refs).toBe(`refs/holdfast/${id}/snapshot/3\n`)
  await house.ok(['restore', id])
  expect(read('ignored.env')).toBe('SECRET=1\n')
})

test('one that fails or does not end keeps no worktree, and is told; nothing of it is left', async () => {
  const house = houseWithCleanUp()
  await house.ok(['trust', '--yes'])
  const failing = await worked(house)
  house.write('holdfast.json', '{ "cleanup": "tools/tidy.sh", "cleanupSeconds": 1 }')
  const hanging = await worked(house)
  deed(house, 'echo no luck; exit 3')
  const failed = await house.run(['archive', failing])
  expect(failed.code).toBe(0)
  expect(failed.stderr).toContain('clean-up failed (exit code 3): tools/tidy.sh: ')
  expect(failed.stderr).toContain(join(house.home, 'tasks', failing, 'clean-up', '1', 'stderr'))
  expect(await house.ok(['logs', failing])).toContain('clean-up failed (exit code 3)')

  deed(house, `sleep 1000 & sleep 1000`)
  const ended = await house.run(['archive', hanging])
  expect([ended.code, ended.stderr]).toEqual([
    0,
    expect.stringContaining('clean-up was ended after 1 s'),
  ])
  expect(existsSync(house.worktree(hanging))).toBe(false)
  expect(house.processes().filter(line => line.includes('sleep 1000'))).toEqual([])
})

test('trust that was taken back counts, however long ago the task was handed in', async () => {
  const house = houseWithCleanUp()
  await house.ok(['trust', '--yes'])
  const last = await worked(house)
  await house.ok(['trust', '--revoke'])
  expect((await house.run(['archive', last])).stderr).toContain('is not trusted')
  expect(log(house, last)).toBe('')
})

test.each(['SIGKILL', 'SIGINT'] as const)(
  'whoever began it may leave by %s: it goes on, and is waited for by the next',
  async how => {
    const house = houseWithCleanUp()
    await house.ok(['trust', '--yes'])
    const id = await worked(house)
    deed(
      house,
      'echo run >> "$HOME/runs"; rm made.txt; until [ -e "$HOME/go" ]; do sleep 0.05; done',
    )
    const first = house.start(['archive', id])
    await eventually('it runs', () => existsSync(join(house.scratch, 'runs')))
    first.kill(how)
    await once(first, 'exit')
    const next = house.ok(['archive', id])
    writeFileSync(join(house.scratch, 'go'), '')
    await next
    const { stderr } = await house.run(['restore', id])
    // Who was told may have gone on in the worktree: that is what comes back then.
    const isOneLife = how === 'SIGKILL'
    expect(readFileSync(join(house.scratch, 'runs'), 'utf8')).toBe(
      isOneLife ? 'run\n' : 'run\nrun\n',
    )
    const [number, when] = isOneLife ? [2, 'after'] : [1, 'before']
    const ref = `refs/holdfast/${id}/snapshot/${number}`
    expect(stderr).toContain(`what was in it ${when} its clean-up is kept: git show ${ref}`)
    expect(existsSync(join(house.worktree(id), 'made.txt'))).toBe(isOneLife)
    // It is kept, also when the worktree is put away again.
    await house.ok(['archive', id])
    expect(house.git('ls-tree', '--name-only', ref).includes('made.txt')).toBe(!isOneLife)
  },
)

test('the one of a Codex environment is known', async () => {
  const house = new House()
  house.write(
    '.codex/environments/environment.toml',
    `version = 1\n[cleanup]\nscript = '''\n[[ -n $CODEX_WORKTREE_PATH ]]\necho "gone: $(basename "$PWD")"\n'''\n`,
  )
  expect(await house.ok(['trust', '--yes'])).toContain('(.codex/environments/environment.toml)')
  const id = await worked(house)
  await house.ok(['archive', id])
  expect(log(house, id)).toBe(`gone: ${id}\n`)
})

confinedTest('agents have written what it finds: it may do no more than they might', async () => {
  const house = houseWithCleanUp({ cleanup: ['sh', '-c', 'sh ./by-the-agent'] }, visibleParent())
  await house.ok(['trust', '--yes'])
  const words = 'echo "touch here; touch \\"$HOME/escaped\\"" > by-the-agent'
  const run = ['run', '--permissions', 'workspace', 'command', '--', 'sh', '-c', words]
  const id = (await house.ok(run)).trim()
  await house.wait(id)
  const { stderr } = await house.run(['archive', id])
  expect(stderr).toContain('clean-up failed')
  expect(existsSync(join(house.scratch, 'escaped'))).toBe(false)
  expect(house.git('show', `refs/holdfast/${id}/snapshot/2:here`)).toBe('')
})
