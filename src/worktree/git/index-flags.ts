/**
 * Whether a status says all there is to say of an index, read from its bytes: no edit is hidden by
 * a flag, and there is no submodule. `run` waits for the answer, and asking git for it costs as
 * much as a third of the status itself. Git is asked only if the answer is not a clear yes. Format:
 * gitformat-index(5), versions 2 to 4.
 */
import type { ObjectFormat } from '../files/contents.ts'

const HEADER_BYTES = 12
/** Ten words of stat data stand before the object id, the flags after it. */
const STAT_BYTES = 40
/** The mode is the seventh word; its lower half says all. */
const MODE_AT = 26
const GITLINK_MODE = 0o160000
const ASSUME_VALID = 0x8000
const EXTENDED = 0x4000
const NAME_MASK = 0x0fff
const SKIP_WORKTREE = 0x4000
const LINK_EXTENSION = 'link'

export function isPlainIndex(index: Buffer, format: ObjectFormat): boolean {
  const idBytes = format === 'sha256' ? 32 : 20
  try {
    return hasPlainEntries(index, idBytes)
  } catch {
    // Shorter than it says: git will have its own opinion of it.
    return false
  }
}

function hasPlainEntries(index: Buffer, idBytes: number): boolean {
  const version = index.readUInt32BE(4)
  if (index.toString('latin1', 0, 4) !== 'DIRC' || version < 2 || version > 4) return false
  const count = index.readUInt32BE(8)
  let at = HEADER_BYTES
  for (let n = 0; n < count; n++) {
    if (index.readUInt16BE(at + MODE_AT) === GITLINK_MODE) return false
    const flagsAt = at + STAT_BYTES + idBytes
    const flags = index.readUInt16BE(flagsAt)
    if ((flags & ASSUME_VALID) !== 0) return false
    let nameAt = flagsAt + 2
    if ((flags & EXTENDED) !== 0) {
      if ((index.readUInt16BE(nameAt) & SKIP_WORKTREE) !== 0) return false
      nameAt += 2
    }
    at = version === 4 ? endOfPrefixedName(index, nameAt) : endOfName(index, at, nameAt, flags)
  }
  // A split index keeps its other entries in another file.
  const afterwards = index.toString('latin1', at, at + 4)
  return afterwards !== LINK_EXTENSION
}

/** Names end with one to eight NULs, so that entries are a multiple of eight bytes long. */
function endOfName(index: Buffer, entryAt: number, nameAt: number, flags: number): number {
  const length = flags & NAME_MASK
  // Longer names than the field can say end at their NUL.
  const end = length < NAME_MASK ? nameAt + length : endOf(index, nameAt)
  return entryAt + (Math.floor((end - entryAt) / 8) + 1) * 8
}

/** Version 4: how much of the previous name is dropped (a varint), then the rest and one NUL. */
function endOfPrefixedName(index: Buffer, nameAt: number): number {
  let at = nameAt
  while ((index.readUInt8(at) & 0x80) !== 0) at++
  return endOf(index, at + 1) + 1
}

function endOf(index: Buffer, from: number): number {
  const end = index.indexOf(0, from)
  if (end === -1) throw new RangeError('a name without an end')
  return end
}
