/**
 * The names of things. Each is branded at birth, so that a task id can never be passed where a
 * session id is wanted, and parsed again at each edge.
 */
declare const brand: unique symbol
type Brand<Base, Name extends string> = Base & { readonly [brand]: Name }

/** Ten characters of Crockford base 32, the first one a letter: 50 random bits. */
export type TaskId = Brand<string, 'TaskId'>
/** A worktree of ours; a managed one bears the id of the task that it was made for. */
export type WorktreeId = Brand<string, 'WorktreeId'>
/** The agent's own conversation (a Codex thread id); opaque to us. */
export type SessionId = Brand<string, 'SessionId'>
/** A full git object id naming a commit, SHA-1 or SHA-256. */
export type CommitId = Brand<string, 'CommitId'>
/** The number of an attempt within its task, from 1. Every write of an attempt carries it. */
export type Fence = Brand<number, 'Fence'>

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz'
const LETTERS = 'abcdefghjkmnpqrstvwxyz'
const ID_LENGTH = 10

/** Makes a task id from at least ten random bytes. */
export function makeTaskId(random: Uint8Array): TaskId {
  let id = LETTERS.charAt((random[0] ?? 0) % LETTERS.length)
  for (let i = 1; i < ID_LENGTH; i++) id += ALPHABET.charAt((random[i] ?? 0) % ALPHABET.length)
  return id as TaskId
}

export function parseTaskId(text: string): TaskId | undefined {
  return /^[a-z][0-9a-z]{9}$/.test(text) ? (text as TaskId) : undefined
}

export function parseCommitId(text: string): CommitId | undefined {
  return /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(text) ? (text as CommitId) : undefined
}

/** A session as a person names it; undefined for what no agent calls one, such as a path. */
export function parseSessionId(text: string): SessionId | undefined {
  return /^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$/.test(text) ? (text as SessionId) : undefined
}

export const asSessionId = (text: string): SessionId => text as SessionId
export const asFence = (count: number): Fence => count as Fence
/** A managed worktree is named after the task that it is made for. */
export const worktreeIdOf = (task: TaskId): WorktreeId => task as string as WorktreeId

/** A permanent worktree bears the name that people gave it, and its repository's short name. */
export const permanentWorktreeId = (name: string, repository: string): WorktreeId =>
  `${name}-${repository.slice(0, 8)}` as WorktreeId
/** A borrowed one bears the short name of its path. */
export const borrowedWorktreeId = (path: string): WorktreeId =>
  `in-place-${path.slice(0, 16)}` as WorktreeId

/** The name of the task that follows one: `fix-login` → `fix-login.2` → `fix-login.3`. */
export function followerName(name: string): string {
  const [, stem, number] = /^(.*)\.(\d{1,6})$/.exec(name) ?? []
  return stem === undefined ? `${name}.2` : `${stem}.${Number(number) + 1}`
}

/** In characters. */
export const LONGEST_NAME = 64

/** Refused, with why: a name that would be mistaken for something else when it is typed. */
export function findNameProblem(name: string): string | null {
  if ([...name].length > LONGEST_NAME) return `it is longer than ${LONGEST_NAME} characters`
  if (!/^[\p{L}\p{N}][\p{L}\p{N}._-]*$/u.test(name)) {
    return 'it may have letters, digits, dots, dashes and underscores, and begins with a letter or digit'
  }
  return parseTaskId(name) === undefined ? null : 'it looks like the id of a task'
}

/** The longest name that `makeTaskName` gives, in characters. */
const NAME_LENGTH = 32

/**
 * A name that people can type, from the first words of the prompt: `Fix the login!` becomes
 * `fix-the-login`. Names need not be unique: the bare name means the newest task that bears it.
 */
export function makeTaskName(prompt: string, fallback: string): string {
  const words = prompt
    .slice(0, 400)
    .normalize('NFKD')
    // Accents of Latin letters only: in other scripts a mark makes another letter.
    .replace(/[\u0300-\u036f]/g, '')
    .normalize('NFC')
    .toLowerCase()
    .match(/[\p{L}\p{N}]+/gu)
  let name = ''
  for (const word of (words ?? []).slice(0, 5)) {
    const longer = name === '' ? word : `${name}-${word}`
    if (longer.length > NAME_LENGTH) break
    name = longer
  }
  return name === '' ? fallback : name
}
