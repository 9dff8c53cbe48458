/** `open`, with the real Codex and its user interface, in tmux, against the scripted model. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { say, shell } from '../../src/demo/scripted-model/script.ts'
import { entry } from '../end-to-end/house.ts'
import { tmux } from '../end-to-end/opened.ts'
import { eventually } from '../eventually.ts'
import { heard, houseWithModel } from './house-with-model.ts'

test.skipIf(tmux === undefined)(
  'a task of Codex is gone on with in its own user interface, and kept as a task',
  async () => {
    const { house, model } = await houseWithModel([say('I have begun.')])
    const id = await house.submit(['codex', 'REMEMBER-THIS', '--name', 'talk'])
    const { session } = await house.wait(id)

    model.setTurns([shell('echo by hand > by-hand.txt'), say('Done as you said.')])
    const directory = join(house.scratch, 't')
    mkdirSync(directory)
    Object.assign(house.environment, { TMUX_TMPDIR: directory, TERM: 'xterm-256color' })
    const inTmux = (...words: string[]) =>
      execFileSync(tmux ?? '', words, { env: house.environment, encoding: 'utf8', stdio: 'pipe' })
    const argv = [process.execPath, entry, 'open', 'talk']
    inTmux(
      '-f',
      '/dev/null',
      'new-session',
      '-d',
      '-s',
      't',
      '-x',
      '120',
      '-y',
      '40',
      '-c',
      house.repo,
      ...argv,
    )
    inTmux('set-option', '-t', 't', 'remain-on-exit', 'on')
    const screen = () => inTmux('capture-pane', '-p', '-t', 't')
    const sees = (...texts: string[]) =>
      eventually(`the screen shows ${texts.join(' or ')}`, () =>
        texts.find(text => screen().includes(text)),
      )
    if ((await sees('I have begun.', 'Trust and continue')) !== 'I have begun.') {
      inTmux('send-keys', '-t', 't', 'Enter')
      await sees('I have begun.')
    }
    // A paste and its end are two things to Codex.
    inTmux('send-keys', '-t', 't', '-l', 'by my own hand')
    await sees('by my own hand')
    inTmux('send-keys', '-t', 't', 'Enter')
    await sees('Done as you said.')
    const second = (await house.task('talk')).id
    await eventually('it has written', () => existsSync(join(house.worktree(id), 'by-hand.txt')))
    expect(
      heard(model).some(body => body.includes('REMEMBER-THIS') && body.includes('by my own hand')),
    ).toBe(true)
    await eventually('it has left', async () => {
      const { state } = await house.task(second)
      if (state === 'running') inTmux('send-keys', '-t', 't', 'C-c')
      return state !== 'running'
    })
    expect(await house.wait(second)).toMatchObject({
      name: 'talk.2',
      state: 'succeeded',
      session,
      follows: id,
    })
    expect(await house.ok(['diff', 'talk'])).toContain('+by hand')
    inTmux('kill-session', '-t', 't')
  },
)
