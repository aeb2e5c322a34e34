// What the downloader needs of a cache, whether it is the shared folder in Node or the browser's private file system.
import type { ModelFiles } from '../files.js';

/** One file of a repository at one commit. */
export interface HubFile {
  /** Its place in the repository. */
  readonly name: string;
  /** In bytes. */
  readonly size: number;
  /** Lower-case hex digest of the contents: sha256, or what git calls the blob's id. The cache's name for the contents. */
  readonly etag: string;
  /** What `etag` is. */
  readonly kind: 'sha256' | 'git-sha1';
}

/** Contents that are on their way into the cache; nothing sees them before they are whole. */
export interface PartialBlob {
  /** Bytes that are here, also from an earlier run. */
  readonly size: number;
  /** Puts bytes behind what is here. */
  append(bytes: Uint8Array): Promise<void>;
  /** Back to nothing. */
  clear(): Promise<void>;
  /** Digest of what is here. */
  digest(kind: HubFile['kind'], signal?: AbortSignal): Promise<string>;
}

/** A cache of repositories by id, commit and file name. Every method rejects with LimnErrors. */
export interface HubCache {
  /** What to call it in messages. */
  readonly label: string;
  /** The commit that a revision was last seen at. */
  commitOf(id: string, revision: string): Promise<string | undefined>;
  /** Notes the commit that a revision is at. */
  remember(id: string, revision: string, commit: string): Promise<void>;
  /** 'absent' when the repository is known not to have the file. */
  state(id: string, commit: string, name: string): Promise<'here' | 'absent' | 'unknown'>;
  /** Notes that the repository has no files of these names. */
  noteAbsent(id: string, commit: string, names: readonly string[]): Promise<void>;
  /**
   * Puts a file into a snapshot. `fill` completes and checks the contents, and is not called if they are here already; while it runs,
   * no other process or tab fills the same contents. What it throws is passed on, and the part that is there is kept for next time.
   */
  add(
    id: string,
    commit: string,
    file: HubFile,
    fill: (blob: PartialBlob) => Promise<void>,
    signal?: AbortSignal,
  ): Promise<void>;
  /** Bytes of a file that an earlier run left behind. */
  begun(id: string, file: HubFile): Promise<number>;
  /** The files of a snapshot. */
  open(id: string, commit: string, names: readonly string[], label: string): ModelFiles;
  /** Bytes that can still be stored, if that is known. */
  freeBytes(): Promise<number | undefined>;
  /** Where a snapshot's files are looked for, for messages. */
  place(id: string, commit: string): string;
}
