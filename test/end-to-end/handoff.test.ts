/** A task that goes on wherever it was handed to: in the user's checkout, and in its worktree again. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { houseWithCodex } from './fake-codex.ts'

/** It notes where it is, and is content with the third time. */
const STUBBORN = `begin
echo "$resumed in $(pwd)" >> log.txt
[ "$(wc -l < log.txt)" -lt 3 ] || finish done
fail again`

test('whoever goes on with a task does so in the checkout, until it is handed back', async () => {
  const house = houseWithCodex(STUBBORN)
  house.makeDirty()
  const first = await house.submit(['codex', 'note where you are'])
  expect((await house.wait(first)).state).toBe('failed')
  house.write('ignored.env', 'of the agent\n', house.worktree(first))
  const before = house.fingerprint()
  const handoff = async (id: string, ...words: string[]) =>
    JSON.parse(await house.ok(['handoff', id, ...words, '--json'], { directory: house.repo }))

  expect(await handoff(first, '--to', 'local', '--check')).toMatchObject({
    state: 'would_hand_off',
    files: [{ path: 'log.txt', change: 'added' }],
    session: { moves: true, directory: house.repo },
    leftBehind: { paths: ['ignored.env'], more: 0 },
  })
  expect(house.fingerprint()).toBe(before)
  const { stdout, stderr } = await house.run(['handoff', first, '--to', 'local'])
  expect(stdout).toBe('added     log.txt\n')
  const { session } = await house.task(first)
  expect(stderr).toContain(`cd '${house.repo}' && codex resume ${session}`)
  expect(stderr).toContain('ignored files stay in the worktree: ignored.env')

  const second = (await house.ok(['resume', first])).trim()
  expect(await house.wait(second)).toMatchObject({
    state: 'failed',
    follows: first,
    worktree: { kind: 'borrowed', path: house.repo },
  })
  const log = (directory: string) =>
    readFileSync(join(directory, 'log.txt'), 'utf8').trim().split('\n')
  const tree = house.worktree(first)
  expect(log(house.repo)).toEqual([`no in ${tree}`, `yes in ${house.repo}`])

  house.write('user.txt', 'by the user\n')
  const checkout = house.fingerprint()
  expect(await handoff(second, '--to', 'worktree')).toMatchObject({
    direction: 'worktree',
    path: tree,
    state: 'handed_off',
    files: [{ path: 'log.txt' }, { path: 'user.txt' }],
  })
  expect(house.fingerprint()).toBe(checkout)
  const third = (await house.ok(['resume', second])).trim()
  expect(await house.wait(third)).toMatchObject({ state: 'succeeded', worktree: { path: tree } })
  expect(log(tree)).toEqual([...log(house.repo), `yes in ${tree}`])
  expect(readFileSync(join(tree, 'user.txt'), 'utf8')).toBe('by the user\n')
  // What it has changed is what it has done itself, and it fits where the rest is already.
  const { files, insertions } = (await house.task(third)).result ?? {}
  expect([files, insertions]).toEqual([1, 1])
  await handoff(third, '--to', 'local')
  expect(log(house.repo)).toEqual(log(tree))
})

test('what cannot be handed off says why, and what to type', async () => {
  const house = houseWithCodex('begin; echo x > x.txt; finish done')
  const refusal = async (...words: string[]) => {
    const { code, stderr } = await house.run(['handoff', ...words])
    return [code, stderr]
  }
  const id = await house.submit(['codex', 'do it'])
  await house.wait(id)
  expect(await refusal(id)).toEqual([2, expect.stringContaining('--to is missing')])
  expect(await refusal(id, '--to', 'moon')).toEqual([2, expect.stringContaining('"worktree"')])
  expect(await refusal(id, '--undo', '--check')).toEqual([2, expect.stringContaining('exclude')])
  expect(await refusal(id, '--undo')).toEqual([5, expect.stringContaining('not handed off')])
  expect(await refusal(id, '--to', 'worktree')).toEqual([5, expect.stringContaining('--to local')])
  house.write('x.txt', 'mine\n')
  expect(await refusal(id, '--to', 'local')).toEqual([5, expect.stringContaining('x.txt')])
  expect(readFileSync(join(house.repo, 'x.txt'), 'utf8')).toBe('mine\n')
  const inPlace = await house.submit(['codex', 'do it here', '--in-place'])
  await house.wait(inPlace)
  expect(await refusal(inPlace, '--to', 'local')).toEqual([
    5,
    expect.stringContaining('it is there'),
  ])
})
