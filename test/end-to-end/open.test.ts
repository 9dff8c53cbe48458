/** `open`, at a real terminal: in tmux, where that is installed. */
import { expect, test } from 'vitest'
import { Terminal, tmux } from './opened.ts'

const atTerminal = test.skipIf(tmux === undefined)

atTerminal(
  'a session is driven by hand, in its worktree and by nobody else, and kept as a task',
  async () => {
    const at = new Terminal()
    const { house } = at
    const first = await at.task('fix')
    const before = house.fingerprint()
    at.sitDown()
    at.holdfast('open fix')
    const id = await at.running('fix')
    await at.sees('UI ready: resume begun -c sandbox_mode="workspace-write"')
    expect(await house.task('fix')).toMatchObject({
      name: 'fix.2',
      follows: first,
      session: 'begun',
      opened: 'agent',
      permissions: { effective: 'workspace', enforcedBy: 'agent' },
      worktree: { path: house.worktree(first) },
    })
    // The lease is with it.
    for (const words of [
      ['open', 'fix', '--editor'],
      ['resume', first],
      ['archive', first],
    ]) {
      const refused = await house.run(words, { environment: { EDITOR: 'true' } })
      expect([words, refused.code === 5 || refused.code === 2]).toEqual([words, true])
    }
    at.type(`echo 'by hand' >by-hand.txt; record another`)
    at.type('exit 0')
    await at.sees('ended with 0')
    // The terminal is as it was: what is typed is seen, on the first screen.
    at.type('echo still here')
    await at.sees('echo still here')
    const ended = await house.wait(id)
    expect(ended).toMatchObject({
      state: 'succeeded',
      session: 'another',
      result: { answer: null, files: 2 },
    })
    const diff = await house.ok(['diff', 'fix'])
    expect(diff).toContain('+made by the agent')
    expect(diff).toContain('+by hand')
    expect((await house.run(['result', 'fix'])).stderr).toContain('was driven at a terminal')
    expect((await house.run(['retry', id])).stderr).toContain(`holdfast open ${id}`)
    expect(house.fingerprint()).toBe(before)
    at.close()
  },
)
