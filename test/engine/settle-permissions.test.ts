import { describe, expect, test } from 'vitest'
import { codex } from '../../src/agents/codex/agent.ts'
import { command } from '../../src/agents/command/agent.ts'
import { AppError } from '../../src/domain/errors.ts'
import type { TaskId } from '../../src/domain/ids.ts'
import {
  type PermissionMode,
  type Permissions,
  permissionModes,
} from '../../src/domain/permissions.ts'
import type { Task } from '../../src/domain/task.ts'
import { settleHeld, settlePermissions } from '../../src/engine/settle-permissions.ts'
import { requireVerifiable } from '../../src/engine/verify.ts'
import type { Agent } from '../../src/ports/agent.ts'
import type { Confinement } from '../../src/ports/confinement.ts'
import { scratchDirectory } from '../scratch.ts'
import { makeRequest } from './scene.ts'

const enclose: Confinement['enclose'] = () => Promise.reject(new Error('nobody asked for that'))
const holdsTerminals = true
const works: Confinement = { requireWorking: async () => undefined, holdsTerminals, enclose }
const fails: Confinement = {
  requireWorking: async () => {
    throw new AppError('permissions_unavailable', 'nothing can confine a program')
  },
  holdsTerminals,
  enclose,
}

/** A task whose agent may do so much. */
function parentWith(effective: PermissionMode): Task {
  const place = { root: '/r', commonDir: '/r/.git', subdirectory: '' }
  const request = makeRequest('k3v9m2x7qd' as TaskId, place)
  return { request: { ...request, permissions: { ...request.permissions, effective } } } as Task
}

describe('an agent without a confinement of its own', () => {
  test.each<[PermissionMode | null, Permissions]>([
    [null, { asked: 'workspace', effective: 'workspace', enforcedBy: 'system' }],
    ['read-only', { asked: 'read-only', effective: 'read-only', enforcedBy: 'system' }],
    ['workspace', { asked: 'workspace', effective: 'workspace', enforcedBy: 'system' }],
    ['full', { asked: 'full', effective: 'full', enforcedBy: 'none' }],
  ])('asked for %s', async (asked, permissions) => {
    const wish = { asked, parent: undefined }
    expect(await settlePermissions(command, wish, {}, works)).toEqual(permissions)
    const without = settlePermissions(command, wish, {}, fails)
    // Never more than was asked for, and never held by nobody.
    if (asked === 'full') expect(await without).toEqual(permissions)
    else await expect(without).rejects.toMatchObject({ code: 'permissions_unavailable' })
  })
})

describe('an agent whose own configuration names a mode', () => {
  const configured = (mode: PermissionMode | null): Agent => ({
    ...command,
    configuredMode: async () => mode,
  })

  test.each<[PermissionMode, PermissionMode | null, PermissionMode]>([
    ['workspace', null, 'workspace'],
    ['full', null, 'full'],
    ['workspace', 'read-only', 'read-only'],
    ['full', 'read-only', 'read-only'],
    ['full', 'workspace', 'workspace'],
    ['read-only', 'workspace', 'read-only'],
    ['workspace', 'full', 'workspace'],
  ])('asked for %s, and configured as %s, is held to %s', async (asked, mode, effective) => {
    const settled = settlePermissions(configured(mode), { asked, parent: undefined }, {}, works)
    const enforcedBy = effective === 'full' ? 'none' : 'system'
    expect(await settled).toEqual({ asked, effective, enforcedBy })
  })

  test('that is stricter is refused where the system cannot hold it to that', async () => {
    const wish = { asked: 'full', parent: undefined } as const
    const settled = settlePermissions(configured('read-only'), wish, {}, fails)
    await expect(settled).rejects.toMatchObject({ code: 'permissions_unavailable' })
  })
})

test('who took over is held by its own configuration, and so is the verification of its work', async () => {
  const strict: Agent = { ...command, configuredMode: async () => 'read-only' }
  const { request } = parentWith('full')
  expect(await settleHeld({ request, fallbacks: 0 }, strict, {}, works)).toBe(request.permissions)
  const after = { request, fallbacks: 1 }
  const held = { asked: 'full', effective: 'read-only', enforcedBy: 'system' }
  expect(await settleHeld(after, strict, {}, works)).toEqual(held)
  await expect(settleHeld(after, strict, {}, fails)).rejects.toMatchObject({
    code: 'permissions_unavailable',
  })
})

test('an agent that confines itself needs nothing of the system', async () => {
  const wish = { asked: null, parent: undefined }
  const environment = { CODEX_HOME: scratchDirectory() }
  expect(await settlePermissions(codex, wish, environment, fails)).toEqual({
    asked: 'workspace',
    effective: 'workspace',
    enforcedBy: 'agent',
  })
})

test('but for what its repository verifies with; how that is taken back is said', async () => {
  const { permissions } = parentWith('workspace').request
  const verify = (trusted: boolean) =>
    ({ argv: ['true'], limitMs: 1, named: { digest: '', trusted } }) as const
  await requireVerifiable(verify(false), permissions, fails)
  await expect(requireVerifiable(verify(true), permissions, fails)).rejects.toMatchObject({
    code: 'permissions_unavailable',
    hint: expect.stringContaining('holdfast trust --revoke'),
  })
})

describe('a task that a task’s agent hands in', () => {
  test.each(permissionModes)('by one that may do %s gets no more', async limit => {
    const parent = parentWith(limit)
    for (const asked of permissionModes) {
      const settled = settlePermissions(command, { asked, parent }, {}, works)
      const isMore = permissionModes.indexOf(asked) > permissionModes.indexOf(limit)
      if (isMore) await expect(settled).rejects.toMatchObject({ code: 'permissions_unavailable' })
      else expect((await settled).effective).toBe(asked)
    }
    const unasked = await settlePermissions(command, { asked: null, parent }, {}, works)
    expect(unasked.effective).toBe(limit === 'read-only' ? 'read-only' : 'workspace')
  })
})
