import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Sandbox } from '../../src/domain/sandbox.ts'
import { findSandbox, type SandboxLook } from '../../src/process/sandbox.ts'
import { scratchDirectory } from '../scratch.ts'

const here = { machine: 'm', boot: 'b', pidNamespace: 'pid:[1]' }
const MARK = 'k3v9m2x7qd.2.nonce'

/** A state directory in which that attempt was launched in a PID namespace. */
function homeWith(pidNamespace: string, mark = MARK): string {
  const home = scratchDirectory()
  const run = join(home, 'tasks/k3v9m2x7qd/runs/2')
  mkdirSync(run, { recursive: true })
  const record = {
    version: 1,
    task: 'k3v9m2x7qd',
    fence: 2,
    argv: ['/bin/true'],
    workingDirectory: '/',
    mark,
    environmentNames: [],
    ...here,
    pidNamespace,
    launchedAt: 1,
  }
  writeFileSync(join(run, 'launch.json'), JSON.stringify(record))
  return home
}

const look = (changes: Partial<SandboxLook>) =>
  findSandbox({ environment: {}, home: '/nowhere', here, firstProgram: '/sbin/init', ...changes })

describe('a process is in a sandbox', () => {
  test.each<[string, Partial<SandboxLook>, Sandbox]>([
    [
      'that Codex makes for a command',
      { environment: { CODEX_SANDBOX_NETWORK_DISABLED: '1' } },
      { kind: 'codex' },
    ],
    [
      'that Codex makes on a Mac',
      { environment: { CODEX_SANDBOX: 'seatbelt' } },
      { kind: 'codex' },
    ],
    [
      'whose first process is there to make it',
      { firstProgram: '/usr/bin/bwrap' },
      { kind: 'program', name: 'bwrap' },
    ],
  ])('%s', (_, changes, sandbox) => {
    expect(look(changes)).toEqual(sandbox)
  })

  test('if it bears the mark of an attempt that was launched in another PID namespace', () => {
    const home = homeWith('pid:[2]')
    expect(look({ home, environment: { HOLDFAST_ATTEMPT: MARK } })).toEqual({
      kind: 'attempt',
      task: 'k3v9m2x7qd',
    })
  })
})

describe('a process is in no sandbox that is known of', () => {
  test.each<[string, Partial<SandboxLook>]>([
    ['on a machine', {}],
    ['in a container', { firstProgram: '/usr/bin/tini' }],
    ['where /proc is hidden', { firstProgram: undefined }],
    ['with an empty variable', { environment: { CODEX_SANDBOX: '' } }],
    ['with a mark that leads nowhere', { environment: { HOLDFAST_ATTEMPT: '../../x.1.y' } }],
    ['with a mark of another state directory', { environment: { HOLDFAST_ATTEMPT: MARK } }],
  ])('%s', (_, changes) => {
    expect(look(changes)).toBeNull()
  })

  test('as part of an attempt that is not confined', () => {
    const environment = { HOLDFAST_ATTEMPT: MARK }
    expect(look({ home: homeWith(here.pidNamespace), environment })).toBeNull()
    // The same id, given out by somebody else.
    expect(look({ home: homeWith('pid:[2]', 'k3v9m2x7qd.2.other'), environment })).toBeNull()
  })
})
