/**
 * File systems that another machine can write to at the same moment. A store there would be torn:
 * its write-ahead log is kept in memory that the processes of one machine share, and so are the
 * locks on which everything rests.
 *
 * Not in the list: 9p, virtiofs, overlays and FUSE as such. They are also what the root of a
 * container or of a virtual machine is made of, where there is one machine only.
 */

/** By what `statfs` says on Linux (statfs(2), linux/magic.h, and the makers' own headers). */
const BY_MAGIC: Readonly<Record<number, string>> = {
  26985: 'NFS',
  20859: 'SMB',
  4283649346: 'CIFS',
  4266872130: 'SMB',
  22092: 'NCP',
  1397113167: 'AFS',
  1799439955: 'AFS',
  1937076805: 'Coda',
  12805120: 'Ceph',
  198183888: 'Lustre',
  1196443219: 'GPFS',
  428016422: 'BeeGFS',
  2866260714: 'PanFS',
  537068840: 'OrangeFS',
  3133910204: 'a VMware shared folder',
  2020557398: 'a VirtualBox shared folder',
  2088527475: 'a Parallels shared folder',
}

export const FUSE_MAGIC = 0x65735546

/** What a mount of FUSE calls itself, for those that reach over a network. */
const NETWORK_FUSE =
  /^(?:sshfs|s3fs|s3ql|goofys|gcsfuse|rclone|rclonefs|mount-s3|blobfuse2?|glusterfs|ceph(?:-fuse)?|davfs2?|curlftpfs|smbnetfs|juicefs|mfs(?:mount)?|lizardfs|seaweedfs|google-drive-ocamlfuse|onedriver|hadoop-hdfs|fuse_dfs|weka\w*)$/i

/** Its name, where it is one. `magic` is the type that `statfs` gives. */
export function findNetworkFileSystem(magic: number): string | undefined {
  // As an unsigned number: some of them fill all of 32 bits.
  return BY_MAGIC[Number(BigInt.asUintN(32, BigInt(magic)))]
}

/**
 * The same for FUSE, from `/proc/self/mountinfo` (proc_pid_mountinfo(5)): only the mount knows who
 * serves it. `device` is the `st_dev` of something in it.
 */
export function findNetworkFuse(mountinfo: string, device: number): string | undefined {
  const number = `${majorOf(device)}:${minorOf(device)}`
  for (const line of mountinfo.split('\n')) {
    const [mount = '', described = ''] = line.split(' - ')
    if (mount.split(' ')[2] !== number) continue
    const kind = described.split(' ')[0] ?? ''
    const name = kind.replace(/^fuse(?:blk)?\.?/, '')
    return NETWORK_FUSE.test(name) ? name : undefined
  }
  return undefined
}

/** As glibc takes a `dev_t` apart. Beyond 32 bits, so without the bit operators. */
function majorOf(device: number): number {
  const low = Math.floor(device / 2 ** 8) % 2 ** 12
  const high = Math.floor(device / 2 ** 44) % 2 ** 20
  return high * 2 ** 12 + low
}

function minorOf(device: number): number {
  const low = device % 2 ** 8
  const high = Math.floor(device / 2 ** 20) % 2 ** 24
  return high * 2 ** 8 + low
}
