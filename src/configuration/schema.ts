/**
 * Every setting: what it is, where it may stand, what is allowed. The files are checked against
 * these schemas, and the reference and the published JSON Schemas are drawn from them.
 */
import * as z from 'zod/mini'
import { DEFAULT_STOP_REVIEW_ROUNDS, MOST_STOP_REVIEW_ROUNDS } from '../domain/configuration.ts'
import { LEAST_MEMORY_BYTES } from '../domain/memory.ts'
import { TARGETS } from '../domain/notify-target.ts'
import { permissionModes } from '../domain/permissions.ts'
import { DEFAULT_PORTS } from '../domain/port-blocks.ts'
import { DEFAULT_LIMITS_MS, directoryWays } from '../domain/set-up.ts'

/** A repository's `holdfast.json`, the user's `config.json`, or an environment variable. */
export type Place = 'repository' | 'user' | 'environment'

export interface SettingInfo {
  readonly about: string
  /** In words, for a message and the reference. */
  readonly allowed: string
  readonly otherwise: string
  readonly places: readonly Place[]
  /** The environment variable, for one that has one. */
  readonly variable?: string
}

const files = ['repository', 'user'] as const
const everywhere = ['repository', 'user', 'environment'] as const

/** By dotted name. `agents` are those that take a prompt. */
export const settings = (agents: readonly string[]) =>
  ({
    $schema: {
      about: 'where the JSON Schema of this file is, for editors',
      allowed: 'a path or URL',
      otherwise: 'none',
      places: files,
    },
    agent: {
      about: 'the agent that does a task',
      allowed: agents.join(', '),
      otherwise: 'the first agent that is ready',
      places: everywhere,
      variable: 'HOLDFAST_AGENT',
    },
    model: {
      about: 'the model, as the agent names it; beside `agent`, for that agent alone',
      allowed: 'a name',
      otherwise: "the agent's own default",
      places: everywhere,
      variable: 'HOLDFAST_MODEL',
    },
    effort: {
      about: 'how hard to think, as the agent names it; beside `agent`, for that agent alone',
      allowed: 'a name',
      otherwise: "the agent's own default",
      places: everywhere,
      variable: 'HOLDFAST_EFFORT',
    },
    permissions: {
      about:
        "how much an agent may do; a repository's file can narrow what your own allows, and not widen it",
      allowed: 'read-only, workspace; in your own file also full',
      otherwise: 'workspace',
      places: everywhere,
      variable: 'HOLDFAST_PERMISSIONS',
    },
    'capture.maxBytes': {
      about: 'how much uncommitted work comes along, in bytes; more is refused',
      allowed: 'a whole number from 0',
      otherwise: '500000000',
      places: files,
    },
    'capture.maxFiles': {
      about: 'how many changed and untracked files come along; more are refused',
      allowed: 'a whole number from 0',
      otherwise: '20000',
      places: files,
    },
    'include.maxBytes': {
      about:
        'how much `.worktreeinclude` may bring along in all, in bytes; what is more stays behind',
      allowed: 'a whole number from 0',
      otherwise: '50000000',
      places: files,
    },
    'include.maxFiles': {
      about: 'how many files `.worktreeinclude` may bring along; what is more stays behind',
      allowed: 'a whole number from 0',
      otherwise: '2000',
      places: files,
    },
    setup: {
      about:
        'the command that readies a new worktree, without a shell, or a script; it runs once you have trusted it (`holdfast trust`); false: none',
      allowed: 'a list of words, the path of a script, or false',
      otherwise: '`.codex/setup.sh`, or the script in `.codex/environments/environment.toml`',
      places: ['repository'],
    },
    setupSeconds: {
      about: 'how long that command may take; then it is ended, and the task fails',
      allowed: 'a whole number of seconds from 1',
      otherwise: String(DEFAULT_LIMITS_MS['set-up'] / 1_000),
      places: files,
    },
    cleanup: {
      about:
        'the command that is run before a worktree is put away, as `setup` is, and trusted like it; false: none',
      allowed: 'a list of words, the path of a script, or false',
      otherwise: 'the `[cleanup]` script in `.codex/environments/environment.toml`',
      places: ['repository'],
    },
    cleanupSeconds: {
      about: 'how long that command may take; then it is ended, and the worktree is put away',
      allowed: 'a whole number of seconds from 1',
      otherwise: String(DEFAULT_LIMITS_MS['clean-up'] / 1_000),
      places: files,
    },
    verify: {
      about:
        'the command that looks at what an agent has done, without a shell, from the top of the worktree (`run --verify`, guides/groups.md); it runs once you have trusted it (`holdfast trust`); false: none',
      allowed: 'a list of words, the same in one text, or false',
      otherwise: 'none',
      places: ['repository'],
    },
    verifySeconds: {
      about:
        'how long one run of that command, or of another in its place (`run --verify`), may take; then it is ended, and has failed',
      allowed: 'a whole number of seconds from 1',
      otherwise: String(DEFAULT_LIMITS_MS.verify / 1_000),
      places: files,
    },
    directories: {
      about:
        'big directories that git ignores, by path, and how each comes along into a new worktree: `clone` (shares blocks with yours, where the file system can), `copy`, `symlink` (yours itself, while the lock files beside it are the same), `skip`',
      allowed:
        'an object of paths below the checkout, such as { "node_modules": "clone" }; clone, copy, symlink or skip',
      otherwise: 'none comes along',
      places: ['repository'],
    },
    cleanupRights: {
      about:
        'with which rights `cleanup` runs: those of the agents that were at work before it, or your own (it may then reach Docker; and what it calls in turn may be what an agent has written)',
      allowed: 'agents, own',
      otherwise: 'agents',
      places: ['user'],
    },
    editor: {
      about:
        'what `open --editor` opens a worktree with, without a shell; it stays until that is closed',
      allowed: 'a list of words: a program and its arguments',
      otherwise: '`$VISUAL`, else `$EDITOR`, parted at spaces',
      places: ['user'],
    },
    codexHome: {
      about:
        'whose home Codex works in: `shared`, yours; or `worktree`, one for each worktree of ours, with sessions of its own and with your login, settings and instructions',
      allowed: 'shared, worktree',
      otherwise: 'shared',
      places: ['user', 'environment'],
      variable: 'HOLDFAST_CODEX_HOME',
    },
    talk: {
      about:
        'how an agent is run that can be talked to while it works (Codex, Claude Code, Pi): `dialogue`, or `one-shot`: it is given its prompt alone, and what is sent to it waits for the end of its turn',
      allowed: 'dialogue, one-shot',
      otherwise: 'dialogue',
      places: ['user', 'environment'],
      variable: 'HOLDFAST_TALK',
    },
    slots: {
      about: 'how many tasks run at once',
      allowed: 'a whole number from 1',
      otherwise: 'half the cores, 8 at most',
      places: ['user', 'environment'],
      variable: 'HOLDFAST_SLOTS',
    },
    stallSeconds: {
      about: 'how long an agent may be silent and idle until it is interrupted and continued',
      allowed: 'a whole number of seconds from 1',
      otherwise: '600',
      places: ['user', 'environment'],
      variable: 'HOLDFAST_STALL_SECONDS',
    },
    keepWorktrees: {
      about:
        'how many managed worktrees stay, the newest; older ones are put away, and can be restored',
      allowed: 'a whole number from 0',
      otherwise: '15',
      places: ['user', 'environment'],
      variable: 'HOLDFAST_KEEP_WORKTREES',
    },
    spareWorktrees: {
      about:
        'how many worktrees are made in advance for each repository in use (two tasks in a week, and 2,000 files), so that a task starts sooner',
      allowed: 'a whole number from 0',
      otherwise: '2',
      places: ['user', 'environment'],
      variable: 'HOLDFAST_SPARE_WORKTREES',
    },
    spareBuildOutput: {
      about:
        'whether those begin with build output (`node_modules`, `target`, `.venv`) of a worktree that was put away; what an agent has left in it is run by the next one',
      allowed: 'true, false',
      otherwise: 'false',
      places: ['user'],
    },
    snapshotSeconds: {
      about:
        'how often the files of a running task are kept aside, where they have changed, for the case that its worktree is lost; 0: never',
      allowed: 'a whole number of seconds from 0',
      otherwise: '300',
      places: ['user', 'environment'],
      variable: 'HOLDFAST_SNAPSHOT_SECONDS',
    },
    idleDays: {
      about:
        'a managed worktree in which no task has ended for so many days is put away, also if it is among the newest; it can be restored',
      allowed: 'a whole number of days from 1',
      otherwise: 'age does not matter',
      places: ['user', 'environment'],
      variable: 'HOLDFAST_IDLE_DAYS',
    },
    diskBytes: {
      about:
        'how much of the disk worktrees, trash, snapshots, task directories and raw output may take together; what is over that is reclaimed, never anything that could not be had again',
      allowed: 'a whole number from 0',
      otherwise: '20000000000, or a tenth of the disk if that is less',
      places: ['user', 'environment'],
      variable: 'HOLDFAST_DISK_BYTES',
    },
    memoryBytes: {
      about:
        'how much memory the processes of a try may use together (`run --memory`, guides/limits.md); it takes a systemd user manager',
      allowed: `a whole number from ${LEAST_MEMORY_BYTES}`,
      otherwise: 'no limit',
      places: ['user', 'environment'],
      variable: 'HOLDFAST_MEMORY_BYTES',
    },
    notify: {
      about:
        'who is told what becomes of your tasks, besides their inbox (guides/being-told.md); what `run --notify` names comes in its place',
      allowed: `a list of these, with absolute paths: ${TARGETS}`,
      otherwise:
        'a session of Claude Code that asks is woken, and a terminal sees it on the desktop',
      places: ['user'],
    },
    webhookKeyFile: {
      about: 'a file with the key that signs what is sent to webhooks, which only you can read',
      allowed: 'an absolute path',
      otherwise: 'it is not signed',
      places: ['user'],
    },
    webhookPrivate: {
      about: 'whether webhooks may go to this machine and to private networks',
      allowed: 'true, false',
      otherwise: 'false',
      places: ['user'],
    },
    mcpFullPermissions: {
      about:
        'whether an MCP client (guides/mcp.md) may hand in tasks with full permissions, for which it need not ask you',
      allowed: 'true, false',
      otherwise: 'false',
      places: ['user'],
    },
    stopReview: {
      about:
        'where a session of Claude Code stops only after a review of what its turn changed (guides/claude-code.md); `setup --enable-review-gate` adds the checkout that it is said in',
      allowed: 'true, false, or a list of checkouts, with absolute paths',
      otherwise: 'false',
      places: ['user'],
    },
    stopReviewRounds: {
      about: 'how often in a row such a review may keep a session from stopping',
      allowed: `a whole number from 1 to ${MOST_STOP_REVIEW_ROUNDS}`,
      otherwise: String(DEFAULT_STOP_REVIEW_ROUNDS),
      places: ['user'],
    },
    'ports.first': {
      about: 'the first port of those that worktrees get, ten each (`HOLDFAST_PORT`)',
      allowed: 'a whole number from 1024 to 65526',
      otherwise: String(DEFAULT_PORTS.first),
      places: ['user'],
    },
    'ports.blocks': {
      about: 'how many worktrees can have ports at once; 0: none has any',
      allowed: 'a whole number from 0',
      otherwise: String(DEFAULT_PORTS.blocks),
      places: ['user'],
    },
  }) satisfies Record<string, SettingInfo>

/** What may stand in each place. */
export function makeSchemas(agents: readonly string[]) {
  const all = settings(agents)
  const described = <T extends z.ZodMiniType>(name: keyof typeof all, schema: T) =>
    z.optional(schema.check(z.describe(`${all[name].about} (default: ${all[name].otherwise})`)))
  const name = z.string().check(z.minLength(1))
  const count = z.int().check(z.gte(0))
  const shared = {
    agent: described('agent', z.enum(agents)),
    model: described('model', name),
    effort: described('effort', name),
  }
  const seconds = z.int().check(z.gte(1))
  const command = z.union([z.literal(false), name, z.array(name).check(z.minLength(1))])
  // In a form that says where it is: neither out of the checkout, nor into a git directory.
  const below = z.string().check(z.regex(/^(?!.*(?:^|\/)(?:\.{0,2}|\.git)(?:\/|$))[^\\\p{Cc}]+$/iu))
  const narrow = described('permissions', z.enum(['read-only', 'workspace']))
  const inFiles = {
    $schema: described('$schema', z.string()),
    ...shared,
    capture: z.optional(
      z.strictObject({
        maxBytes: described('capture.maxBytes', count),
        maxFiles: described('capture.maxFiles', count),
      }),
    ),
    include: z.optional(
      z.strictObject({
        maxBytes: described('include.maxBytes', count),
        maxFiles: described('include.maxFiles', count),
      }),
    ),
    setupSeconds: described('setupSeconds', seconds),
    cleanupSeconds: described('cleanupSeconds', seconds),
    verifySeconds: described('verifySeconds', seconds),
  }
  const own = {
    codexHome: described('codexHome', z.enum(['shared', 'worktree'])),
    talk: described('talk', z.enum(['dialogue', 'one-shot'])),
    slots: described('slots', z.int().check(z.gte(1))),
    stallSeconds: described('stallSeconds', seconds),
    keepWorktrees: described('keepWorktrees', count),
    spareWorktrees: described('spareWorktrees', count),
    snapshotSeconds: described('snapshotSeconds', count),
    idleDays: described('idleDays', z.int().check(z.gte(1))),
    diskBytes: described('diskBytes', count),
    memoryBytes: described('memoryBytes', z.int().check(z.gte(LEAST_MEMORY_BYTES))),
  }
  return {
    repository: z.strictObject({
      ...inFiles,
      permissions: narrow,
      setup: described('setup', command),
      cleanup: described('cleanup', command),
      verify: described('verify', command),
      directories: described('directories', z.record(below, z.enum(directoryWays))),
    }),
    user: z.strictObject({
      ...inFiles,
      permissions: described('permissions', z.enum(permissionModes)),
      ...own,
      spareBuildOutput: described('spareBuildOutput', z.boolean()),
      cleanupRights: described('cleanupRights', z.enum(['agents', 'own'])),
      editor: described('editor', z.array(name).check(z.minLength(1))),
      notify: described('notify', z.array(name)),
      webhookKeyFile: described('webhookKeyFile', z.string().check(z.startsWith('/'))),
      webhookPrivate: described('webhookPrivate', z.boolean()),
      mcpFullPermissions: described('mcpFullPermissions', z.boolean()),
      stopReview: described(
        'stopReview',
        z.union([z.boolean(), z.array(z.string().check(z.startsWith('/')))]),
      ),
      stopReviewRounds: described(
        'stopReviewRounds',
        z.int().check(z.gte(1), z.lte(MOST_STOP_REVIEW_ROUNDS)),
      ),
      ports: z.optional(
        z.strictObject({
          first: described('ports.first', z.int().check(z.gte(1_024), z.lte(65_526))),
          blocks: described('ports.blocks', count),
        }),
      ),
    }),
    environment: z.strictObject({ ...shared, permissions: narrow, ...own }),
  }
}
