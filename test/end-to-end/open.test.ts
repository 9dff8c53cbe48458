/** `open`, at a real terminal: in tmux, where that is installed. */
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { eventually } from '../eventually.ts'
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

atTerminal(
  'whoever is killed, and where a terminal is closed: nothing is lost, and nothing stays held',
  async () => {
    const at = new Terminal()
    const { house } = at
    await at.task('odd')
    at.sitDown()
    let opened = 1
    /** Opens it, does something by hand, and lets it be struck. */
    const strike = async (how: (id: string) => unknown, outcome: object) => {
      const mark = `by hand ${++opened}`
      at.holdfast('open odd')
      const name = `odd.${opened}`
      const id = await eventually(`${name} runs`, async () => {
        const task = await house.task('odd')
        return task.name === name && task.state === 'running' && task.id
      })
      at.type(`echo '${mark}' >>by-hand.txt`)
      const file = join(house.worktree(first), 'by-hand.txt')
      await eventually(
        'it is written',
        () => existsSync(file) && readFileSync(file, 'utf8').includes(mark),
      )
      await how(id)
      expect(await house.wait(id)).toMatchObject({ ...outcome, attempt: 1 })
      expect(await house.ok(['diff', id])).toContain(`+${mark}`)
      expect(house.processes().filter(line => line.includes('fake-bin/codex'))).toEqual([])
    }
    const first = (await house.task('odd')).id
    const shellLives = async () => {
      const word = `alive-${opened}`
      at.type(`echo ${word}`)
      // What was typed, and what came of it.
      await eventually('the shell answers', () => at.screen().split(word).length > 2)
    }

    await strike(
      async () => {
        process.kill(await house.workerPid(), 'SIGKILL')
        at.type('exit 0')
      },
      { state: 'succeeded' },
    )
    await shellLives()
    const lost = { state: 'failed', error: { code: 'terminal_lost' } }
    await strike(id => process.kill(at.opener(id), 'SIGKILL'), lost)
    // Nobody was left who could give the terminal back.
    at.type("stty sane; printf '\\033[?1049l'")
    await shellLives()
    await strike(id => house.ok(['cancel', id]), { state: 'cancelled' })
    await shellLives()
    await strike(
      id => {
        process.kill(house.pid(id, 'wrapper'), 'SIGKILL')
        process.kill(house.pid(id), 'SIGKILL')
      },
      { state: 'failed', error: { code: 'exit_unknown' } },
    )
    await shellLives()
    await strike(() => at.type('exit 3'), { state: 'failed', error: { code: 'agent_crashed' } })
    await strike(() => at.close(), lost)
    at.sitDown()
    // It reads the end of its terminal, and ends as if it were told to.
    at.type("trap '' HUP")
    await strike(() => at.close(), lost)

    at.sitDown()
    at.holdfast('open odd')
    const last = await at.running('odd')
    at.type('exit 0')
    expect((await house.wait(last)).state).toBe('succeeded')
    at.close()
  },
)

atTerminal(
  'a new worktree and an editor are opened at once, however busy the worker is',
  async () => {
    const at = new Terminal()
    const { house } = at
    const editor = join(house.scratch, 'edit')
    writeFileSync(
      editor,
      `#!/bin/sh\necho "$@" >"$PWD/edited.txt"\nenv | grep -c HOLDFAST_ATTEMPT >>"$PWD/edited.txt"\nexit 0\n`,
    )
    chmodSync(editor, 0o755)
    const gate = join(house.scratch, 'gate')
    const busy = await house.submitScript(`until [ -e '${gate}' ]; do sleep 0.05; done`)
    await house.untilState(busy, 'running')
    at.sitDown()
    at.holdfast('open -a codex --name try --base HEAD')
    const id = await at.running('try')
    await at.sees('UI ready: -c sandbox_mode="workspace-write"')
    expect((await house.task(busy)).state).toBe('running')
    at.type(`echo new >new.txt; exit 0`)
    expect(await house.wait(id)).toMatchObject({
      state: 'succeeded',
      session: null,
      result: { files: 1 },
    })
    await at.sees('ended with 0')

    at.type(`export VISUAL='${editor} --wait'`)
    at.holdfast('open try --editor --json')
    const second = await eventually('it has ended', async () => {
      const task = await house.task('try')
      return task.opened === 'editor' && task.state === 'succeeded' && task
    })
    // No mark: what is started from an editor is the user's own.
    expect(await house.ok(['diff', second.id])).toContain(
      `+--wait ${house.worktree(id)}\n++0`.replace('++', '+'),
    )
    writeFileSync(gate, '')
    await house.wait(busy)
    at.close()
  },
)

test('without a terminal nothing is opened, and what to type is said', async () => {
  const { house } = new Terminal()
  const refused = await house.run(['open', '-a', 'codex'])
  expect(refused).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('in a terminal: holdfast open -a codex'),
  })
  const id = await house.submit(['codex', 'begin'])
  await house.wait(id)
  expect(await house.run(['open', id])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining(`by hand: cd '${house.worktree(id)}' && codex resume begun`),
  })
  expect(await house.run(['open', id, '--base', 'HEAD'])).toMatchObject({ code: 2 })
  expect((await house.task(id)).name).not.toContain('.2')
})
