import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { prepareHome } from '../../src/store/home.ts'
import { findNetworkFileSystem, findNetworkFuse } from '../../src/store/network-file-systems.ts'
import { eventually } from '../eventually.ts'
import { scratchDirectory } from '../scratch.ts'

test('file systems that others can write to, by the number that statfs gives', () => {
  expect(findNetworkFileSystem(0x6969)).toBe('NFS')
  expect(findNetworkFileSystem(0xff534d42)).toBe('CIFS')
  // As a signed number of 32 bits, which some systems make of it.
  expect(findNetworkFileSystem(0xff534d42 - 2 ** 32)).toBe('CIFS')
  expect(findNetworkFileSystem(0xfe534d42)).toBe('SMB')
  expect(findNetworkFileSystem(0x517b)).toBe('SMB')
  expect(findNetworkFileSystem(0x00c36400)).toBe('Ceph')
  expect(findNetworkFileSystem(0x47504653)).toBe('GPFS')
})

test('what containers and virtual machines stand on is not refused', () => {
  const roots = {
    ext4: 0xef53,
    xfs: 0x58465342,
    btrfs: 0x9123683e,
    tmpfs: 0x01021994,
    overlay: 0x794c7630,
    '9p': 0x01021997,
    'fuse and virtiofs': 0x65735546,
    zfs: 0x2fc12fc1,
    f2fs: 0xf2f52010,
    wslfs: 0x53464846,
    'macOS apfs': 0x1a,
  }
  for (const [name, magic] of Object.entries(roots)) {
    expect([name, findNetworkFileSystem(magic)]).toEqual([name, undefined])
  }
})

test('of FUSE, the mount says who serves it', () => {
  const mounts = `22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
40 22 0:45 / /home/u/far rw,nosuid - fuse.sshfs u@host:/home rw,user_id=1000
41 22 0:46 / /root rw,relatime shared:1 - virtiofs root rw
42 22 0:47 / /home/u/vault rw - fuse.gocryptfs /home/u/cipher rw
43 22 0:300 / /data rw - fuse.glusterfs g:/v rw
`
  expect(findNetworkFuse(mounts, 45)).toBe('sshfs')
  expect(findNetworkFuse(mounts, 46)).toBeUndefined()
  expect(findNetworkFuse(mounts, 47)).toBeUndefined()
  // Minor 300: its upper bits stand above those of the major number.
  expect(findNetworkFuse(mounts, (300 & 0xff) | ((300 & ~0xff) << 12))).toBe('glusterfs')
  expect(findNetworkFuse(mounts, 0xfe00)).toBeUndefined()
  expect(findNetworkFuse('', 45)).toBeUndefined()
})

const canMount = process.getuid?.() === 0 && existsSync('/dev/fuse')

/** A FUSE file system that answers the least that it must; the mount calls itself `fuse.sshfs`. */
const SERVER = `
const { closeSync, openSync, readSync, writeSync } = require('node:fs')
const { spawnSync } = require('node:child_process')
const device = openSync('/dev/fuse', 'r+')
const [kind, place] = process.argv.slice(1)
const options = 'fd=3,rootmode=40000,user_id=0,group_id=0'
const { status } = spawnSync('mount', ['-i', '-t', kind, '-o', options, 'far:/', place], {
  stdio: ['ignore', 'inherit', 'inherit', device],
})
if (status !== 0) process.exit(1)
process.stdout.write('mounted')
const request = Buffer.alloc(200000)
for (;;) {
  try { readSync(device, request) } catch (error) { process.exit(error.code === 'ENODEV' ? 0 : 1) }
  const opcode = request.readUInt32LE(4)
  const answer = (body, error = 0) => {
    const head = Buffer.alloc(16)
    head.writeUInt32LE(16 + body.length, 0)
    head.writeInt32LE(-error, 4)
    request.copy(head, 8, 8, 16)
    writeSync(device, Buffer.concat([head, body]))
  }
  if (opcode === 26) { // INIT
    const body = Buffer.alloc(64)
    body.writeUInt32LE(7, 0)
    body.writeUInt32LE(31, 4)
    body.writeUInt32LE(65536, 20)
    answer(body)
  } else if (opcode === 3) { // GETATTR: a directory of root's
    const body = Buffer.alloc(104)
    body.writeBigUInt64LE(1n, 16)
    body.writeUInt32LE(0o40700, 76)
    body.writeUInt32LE(2, 80)
    answer(body)
  } else if (opcode === 17) answer(Buffer.alloc(80)) // STATFS
  else if (opcode === 1) answer(Buffer.alloc(0), 2) // LOOKUP: nothing is there
  else answer(Buffer.alloc(0), 38)
}
`

test.skipIf(!canMount)('a mount of sshfs is refused, one of another FUSE is not', async () => {
  for (const [kind, says] of [
    ['fuse.sshfs', /network file system \(sshfs\)/],
    ['fuse.gocryptfs', undefined],
  ] as const) {
    const place = join(scratchDirectory(), 'mount')
    mkdirSync(place)
    const server = spawn(process.execPath, ['-e', SERVER, kind, place])
    const gone = once(server, 'exit')
    try {
      let said = ''
      server.stdout.on('data', chunk => {
        said += chunk
      })
      await eventually('it is mounted', () => said === 'mounted')
      // The mount itself; one in it is yet to be made, and must not be.
      for (const home of says === undefined ? [place] : [place, join(place, 'home')]) {
        if (says === undefined) expect(() => prepareHome(home)).not.toThrow()
        else expect(() => prepareHome(home)).toThrow(says)
      }
    } finally {
      spawnSync('umount', ['-l', place])
      await gone
    }
    expect(readdirSync(place)).toEqual([])
  }
})
