/** Files whose bytes on disk are not their bytes in git: filters, line ends, encodings. */
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { worktreeIdOf } from '../../../src/domain/ids.ts'
import { limits, makeRepository, makeScene, nextTask, type Repository } from '../scene.ts'
import { carry, collect, leftOutOf, patchOf, sightOf } from './odd.ts'

/** The lines that the agent's patch takes away and adds, without file headers. */
const linesOf = (patch: string) => patch.split('\n').filter(line => /^[-+](?!\+\+ |-- )/.test(line))

/** Filters that work like LFS: a pointer in git, the content in a store beside it. */
function makePointerFilter(repository: Repository, required: boolean): string {
  const store = join(repository.scene.top, 'store')
  const program = join(repository.scene.top, 'pointer-filter')
  writeFileSync(
    program,
    `#!/bin/sh
mkdir -p '${store}'
case "$1" in
  clean) cat > '${store}'/$$; id=$(git hash-object --no-filters '${store}'/$$)
    mv '${store}'/$$ '${store}'/$id; echo "pointer $id" ;;
  smudge) read -r word id; cat '${store}'/$id ;;
esac
`,
    { mode: 0o755 },
  )
  repository.git('config', 'filter.pointer.clean', `'${program}' clean`)
  repository.git('config', 'filter.pointer.smudge', `'${program}' smudge`)
  repository.git('config', 'filter.pointer.required', `${required}`)
  return program
}

async function captureOnly(repository: Repository) {
  const { scene } = repository
  const task = nextTask()
  const checkout = await repository.open()
  const base = await scene.worktrees.captureBase(checkout, task, scene.scratch, limits)
  const { commonDir } = checkout.place
  return { commonDir, task, base, path: join(scene.top, 'worktrees', task) }
}

describe.each([true, false])('a filter that stores pointers, required: %s', required => {
  it('gives the agent the content, and the result has pointers', async () => {
    const repository = makeRepository(makeScene())
    makePointerFilter(repository, required)
    repository.write('.gitattributes', '*.bin filter=pointer -text\n')
    repository.write('old.bin', Buffer.from([1, 0, 2, 13, 10]))
    repository.write('edited.bin', 'before\n')
    repository.commit()
    repository.write('edited.bin', 'edited\n')
    repository.write('new.bin', 'new\n')
    repository.write('staged.bin', 'staged\n')
    repository.git('add', 'staged.bin')
    const carried = await carry(repository)
    expect(leftOutOf(carried)).toEqual([])
    expect(sightOf(carried.agent)).toEqual(sightOf(repository))
    expect(await collect(carried)).toMatchObject({ files: 0 })

    carried.agent.write('old.bin', 'the agent’s\n')
    const { commit } = await collect(carried)
    expect(repository.git('show', `${commit}:old.bin`)).toMatch(/^pointer [0-9a-f]{40}$/)
    expect(linesOf(patchOf(carried))).toHaveLength(2)
  })

  it('that is gone when the worktree is made, is told in git’s words or done without', async () => {
    const repository = makeRepository(makeScene())
    const { scene } = repository
    const program = makePointerFilter(repository, required)
    repository.write('.gitattributes', '*.bin filter=pointer -text\n')
    repository.write('old.bin', 'content\n')
    repository.commit()
    const { commonDir, task, base, path } = await captureOnly(repository)
    chmodSync(program, 0o644)
    const creating = scene.worktrees.createWorktree(worktreeIdOf(task), path, base, commonDir)
    if (required) {
      await expect(creating).rejects.toMatchObject({
        code: 'refused_in_state',
        message: expect.stringContaining('smudge filter pointer failed'),
      })
      expect(repository.git('worktree', 'list').split('\n')).toHaveLength(1)
      expect(existsSync(path)).toBe(false)
    } else {
      // As in any checkout then: git has nothing better.
      await creating
      expect(readFileSync(join(path, 'old.bin'), 'utf8')).toMatch(/^pointer /)
    }
  })
})

it('a required filter that fails when the work is collected: the files are taken as they are', async () => {
  const repository = makeRepository(makeScene())
  const program = makePointerFilter(repository, true)
  repository.write('.gitattributes', '*.bin filter=pointer -text\n')
  repository.write('old.bin', 'content\n')
  repository.write('same.bin', 'same\n')
  repository.commit()
  const carried = await carry(repository)
  carried.agent.write('old.bin', 'the agent’s\n')
  carried.agent.write('new.bin', 'new\n')
  carried.agent.write('kept.txt', 'the agent’s\n')
  chmodSync(program, 0o644)
  const { commit, leftOut } = await carried.scene.worktrees.collectResult(
    carried.record,
    carried.base,
    carried.task,
    carried.results,
  )
  expect(leftOut).toContain('old.bin: taken as it is on disk: its filter failed')
  expect(leftOut).toContain('new.bin: taken as it is on disk: its filter failed')
  expect(repository.git('show', `${commit}:old.bin`)).toBe('the agent’s')
  expect(repository.git('show', `${commit}:kept.txt`)).toBe('the agent’s')
})

it('an attribute that names a filter nobody has configured changes nothing', async () => {
  const repository = makeRepository(makeScene())
  repository.write('.gitattributes', '*.bin filter=lfs diff=lfs merge=lfs -text\n')
  repository.write('pointer.bin', 'version https://example.com/spec/v1\noid sha256:0\nsize 1\n')
  repository.commit()
  repository.write('new.bin', 'raw\r\n')
  const carried = await carry(repository)
  expect(leftOutOf(carried)).toEqual([])
  expect(sightOf(carried.agent)).toEqual(sightOf(repository))
})

it('a filter that does not give the bytes back: the agent has them all the same', async () => {
  const repository = makeRepository(makeScene())
  repository.git('config', 'filter.upper.clean', 'tr a-z A-Z')
  repository.write('.gitattributes', '*.up filter=upper\n')
  repository.write('old.up', 'old\n')
  repository.commit()
  repository.write('old.up', 'edited\n')
  repository.write('new.up', 'new\n')
  const carried = await carry(repository)
  expect(sightOf(carried.agent)).toEqual(sightOf(repository))
  expect(await collect(carried)).toMatchObject({ files: 0 })
  carried.agent.write('new.up', 'new\nagent\n')
  await collect(carried)
  expect(linesOf(patchOf(carried))).toEqual(['+AGENT'])
})

it('`$Id$` and encodings: the agent has the caller’s bytes, and the delta is its own', async () => {
  const repository = makeRepository(makeScene())
  const utf16 = (text: string) => Buffer.from(`\uFEFF${text}`, 'utf16le')
  repository.write('.gitattributes', '*.id ident\n*.wide text working-tree-encoding=UTF-16LE-BOM\n')
  repository.write('old.id', '$Id$\nold\n')
  repository.write('old.wide', utf16('old ü\n'))
  repository.commit()
  repository.git('checkout', '-q', '-f', 'HEAD')
  repository.write('old.id', '$Id: something of mine $\nedited\n')
  repository.write('new.wide', utf16('new ß\n'))
  const carried = await carry(repository)
  expect(leftOutOf(carried)).toEqual([])
  expect(sightOf(carried.agent)).toEqual(sightOf(repository))
  carried.agent.write('new.wide', utf16('new ß\nagent\n'))
  await collect(carried)
  expect(linesOf(patchOf(carried))).toEqual(['+agent'])
})

const lineEnds: { name: string; config: Record<string, string>; attributes?: string }[] = [
  { name: 'autocrlf=true', config: { 'core.autocrlf': 'true' } },
  { name: 'autocrlf=input', config: { 'core.autocrlf': 'input' } },
  {
    name: 'autocrlf=true and safecrlf=true',
    config: { 'core.autocrlf': 'true', 'core.safecrlf': 'true' },
  },
  { name: 'eol=crlf', config: { 'core.eol': 'crlf' }, attributes: '* text=auto\n' },
  { name: 'the attribute text', config: {}, attributes: '*.txt text\n' },
  { name: 'the attribute eol=crlf', config: {}, attributes: '*.txt text eol=crlf\n' },
  { name: 'the attribute eol=lf', config: {}, attributes: '*.txt text eol=lf\n' },
  { name: 'the attribute -text', config: { 'core.autocrlf': 'true' }, attributes: '* -text\n' },
  { name: 'the old attribute crlf', config: {}, attributes: '*.txt crlf\n' },
  { name: 'nothing configured', config: {} },
]

describe.each(lineEnds)('line ends with $name', ({ config, attributes }) => {
  it('are the caller’s in every changed file, and the delta is the agent’s alone', async () => {
    const repository = makeRepository(makeScene())
    repository.write('old-lf.txt', 'one\ntwo\n')
    repository.write('old-crlf.txt', 'one\r\ntwo\r\n')
    repository.write('old-mixed.txt', 'one\r\ntwo\n')
    repository.commit()
    for (const [key, value] of Object.entries(config)) repository.git('config', key, value)
    if (attributes !== undefined) repository.write('.gitattributes', attributes)
    for (const kind of ['old', 'new']) {
      repository.write(`${kind}-lf.txt`, 'one\ntwo\nthree\n')
      repository.write(`${kind}-crlf.txt`, 'one\r\ntwo\r\nthree\r\n')
      repository.write(`${kind}-mixed.txt`, 'one\r\ntwo\nthree\r\nfour\n')
      repository.write(`${kind}-lone.txt`, 'one\rtwo\r\nthree\n')
    }
    const carried = await carry(repository)
    const { agent } = carried
    expect(leftOutOf(carried)).toEqual([])
    const ours = sightOf(agent)
    const theirs = sightOf(repository)
    const changed = (files: Map<string, string>) =>
      [...files].filter(([name]) => /^(old|new)-/.test(name))
    expect(changed(ours.files)).toEqual(changed(theirs.files))
    expect(ours.status).toBe(theirs.status)
    expect(await collect(carried)).toMatchObject({ files: 0, leftOut: [] })

    for (const name of ['old-lf', 'old-crlf', 'old-mixed', 'new-lf', 'new-crlf', 'new-mixed']) {
      const before = readFileSync(agent.at(`${name}.txt`), 'utf8')
      agent.write(`${name}.txt`, `${before}agent${before.includes('\r') ? '\r' : ''}\n`)
    }
    await collect(carried)
    const lines = linesOf(patchOf(carried))
    expect(lines.map(line => line.replace('\r', ''))).toEqual(Array(6).fill('+agent'))
  })
})

it('a file that git calls unchanged may have other line ends in a new checkout', async () => {
  // Said in docs/reference/repositories.md: it is checked out anew, as git would.
  const repository = makeRepository(makeScene())
  repository.git('config', 'core.autocrlf', 'true')
  const carried = await carry(repository)
  expect(readFileSync(carried.agent.at('kept.txt'), 'utf8')).toBe('kept\r\n')
  expect(carried.agent.git('status', '--porcelain')).toBe('')
  expect(await collect(carried)).toMatchObject({ files: 0 })
})

it.each(['--assume-unchanged', '--skip-worktree'])(
  'an edit that %s hides is converted as any other',
  async flag => {
    const repository = makeRepository(makeScene())
    repository.git('config', 'filter.upper.clean', 'tr a-z A-Z')
    repository.write('.gitattributes', '*.up filter=upper\n')
    repository.write('old.up', 'old\n')
    repository.commit()
    repository.git('update-index', flag, 'old.up')
    repository.write('old.up', 'hidden\n')
    const carried = await carry(repository)
    expect(repository.git('show', `${carried.base.changes?.snapshot}:old.up`)).toBe('HIDDEN')
    expect(sightOf(carried.agent)).toEqual(sightOf(repository))
    expect(await collect(carried)).toMatchObject({ files: 0 })
  },
)

it('drivers of the user’s for diffs, merges and texts are not run', async () => {
  const scene = makeScene()
  const repository = makeRepository(scene)
  const mark = join(scene.top, 'it ran')
  writeFileSync(join(scene.top, 'driver'), `#!/bin/sh\ntouch '${mark}'\n`, { mode: 0o755 })
  const driver = join(scene.top, 'driver')
  repository.git('config', 'diff.mine.textconv', driver)
  repository.git('config', 'diff.mine.command', driver)
  repository.git('config', 'diff.external', driver)
  repository.git('config', 'merge.mine.driver', driver)
  repository.git('config', 'core.pager', driver)
  repository.git('config', 'core.editor', driver)
  repository.git('config', 'core.askPass', driver)
  repository.git('config', 'gpg.program', driver)
  repository.git('config', 'commit.gpgSign', 'true')
  repository.write('.gitattributes', '* diff=mine merge=mine export-ignore\n')
  repository.write('edited.txt', 'edited\n')
  const carried = await carry(repository)
  expect(sightOf(carried.agent)).toEqual(sightOf(repository))
  carried.agent.write('edited.txt', 'edited\nagent\n')
  const { record, base, task } = carried
  const patch = await scene.worktrees.diffNow(record, base, task, scene.scratch)
  await collect(carried)
  expect(linesOf(patchOf(carried))).toEqual(['+agent'])
  expect(Buffer.from(patch).toString()).toBe(patchOf(carried))
  expect(existsSync(mark)).toBe(false)
  // The trap is a real one: plain git walks into it.
  repository.git('diff')
  expect(existsSync(mark)).toBe(true)
})
