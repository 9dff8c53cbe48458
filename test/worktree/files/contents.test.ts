import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Change } from '../../../src/worktree/capture/change.ts'
import { Taking } from '../../../src/worktree/capture/taking.ts'
import { makeLook, readFileOnce, streamFile } from '../../../src/worktree/files/contents.ts'
import { isForbiddenPath, parsePath, quotePath } from '../../../src/worktree/files/paths.ts'
import type { FastImport } from '../../../src/worktree/git/fast-import.ts'
import { makeScene } from '../scene.ts'

const path = (text: string) => parsePath(Buffer.from(text))

describe('a path below a link', () => {
  it('is gone: what lies behind the link is not part of the checkout', () => {
    const { top } = makeScene()
    mkdirSync(join(top, 'real/deep'), { recursive: true })
    writeFileSync(join(top, 'real/deep/file'), 'content')
    symlinkSync('real', join(top, 'link'))
    const look = makeLook(top)
    expect(look(path('real/deep/file'))).toEqual({ kind: 'file', size: 7 })
    expect(look(path('link/deep/file'))).toEqual({ kind: 'gone' })
    expect(look(path('link'))).toEqual({ kind: 'link' })
    expect(look(path('real/deep'))).toEqual({ kind: 'directory' })
    expect(look(path('real/deep/file/below'))).toEqual({ kind: 'gone' })
  })
})

// Files there say that they are empty, and are not: to a reader they grow all the time.
describe.runIf(process.platform === 'linux')('a file that changes while it is read', () => {
  it('is seen to', () => {
    expect(readFileOnce('/proc', path('version'))).toMatchObject({ size: 0, steady: false })
  })

  it('is read three times, then taken as it is, and named', async () => {
    const blobs: Uint8Array[] = []
    const taking = takingFrom('/proc', async content => void blobs.push(content))
    const change: Change = {
      path: path('version'),
      before: null,
      present: true,
      gitlink: null,
      indexMode: null,
      unchecked: null,
    }
    const plain = { always: false, lineEnds: false, eol: null }
    expect(await taking.takeFile(change, plain)).toBe('taken')
    expect(taking.leftOut).toEqual(['version: taken while it changed: it may be torn'])
    expect([...taking.delta.keys()]).toEqual(['version'])
    // The same bytes each time are given only once.
    expect(blobs).toHaveLength(1)
  })
})

describe('a large file that shrinks while it is read', () => {
  it('still gives as many bytes as were announced, and is known to be torn', async () => {
    const { top } = makeScene()
    writeFileSync(join(top, 'shrunk'), 'short')
    let given = 0
    const reading = await streamFile(top, path('shrunk'), 3_000_000, 'sha1', async chunk => {
      given += chunk.length
    })
    expect(given).toBe(3_000_000)
    expect(reading).toEqual({ kind: 'torn' })
    expect(await streamFile(top, path('gone'), 3, 'sha1', async () => undefined)).toEqual({
      kind: 'torn',
    })
  })
})

describe('a path', () => {
  it('is quoted with octal escapes for fast-import', () => {
    expect(quotePath(path('plain/a b'))).toBe('"plain/a b"')
    expect(quotePath(path('"\\\n\té'))).toBe('"\\042\\134\\012\\011\\303\\251"')
  })

  it.each(['.git', 'a/.GIT/b', 'git~1', 'x/GIT~1', '.git. ', '.git\\config', 'a\\.git', '.git:x'])(
    'that git would refuse to check out is known: %j',
    name => expect(isForbiddenPath(path(name))).toBe(true),
  )

  it.each(['.gitignore', 'a.git', 'git~2', '.git-x', 'x/.gitmodules', 'agit~1'])(
    'that only resembles one is not: %j',
    name => expect(isForbiddenPath(path(name))).toBe(false),
  )
})

function takingFrom(root: string, blob: FastImport['blob']): Taking {
  const unexpected = async () => {
    throw new Error('not meant to be used')
  }
  const importer: FastImport = {
    blob,
    largeBlob: unexpected,
    commit: unexpected,
    finish: unexpected,
    abort: unexpected,
  }
  const source = { place: unexpected, root, format: 'sha1', provingIn: null } as const
  return new Taking(source, importer, unexpected)
}
