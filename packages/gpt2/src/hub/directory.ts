// What a repository on the hub holds: the commit behind a revision, and size and digest of each file. Asked for in a page's own words.
import { LimnError } from '@limn/gpu';
import type { HubFile } from './cache.js';
import type { HubHttp } from './http.js';

/**
 * Where a hub's repositories are looked up. Node asks through @huggingface/hub (`libraryDirectory`); a page asks by itself, since that
 * library's build for browsers is out of reach of bundlers that go by `exports`, such as esbuild.
 */
export interface HubDirectory {
  /** @throws LimnError `hub/bad-answer`, and what `HubHttp.ask` throws. */
  commit(http: HubHttp, id: string, revision: string): Promise<string>;
  /** The files in the root folder, by name. @throws LimnError `hub/bad-answer`, and what `HubHttp.ask` throws. */
  files(http: HubHttp, id: string, commit: string): Promise<Map<string, HubFile>>;
}

/** A line of a listing as the hub sends it; nothing about it is certain. */
export interface ListedEntry {
  readonly type?: unknown;
  readonly path?: unknown;
  readonly size?: unknown;
  readonly oid?: unknown;
  readonly lfs?: { readonly oid?: unknown; readonly size?: unknown };
}

/** A listing that goes on beyond this is no listing. */
export const maxFiles = 10_000;

/** Looks up repositories with two requests of its own. */
export const webDirectory: HubDirectory = {
  commit: async (http, id, revision) => {
    const response = await http.api(apiUrl(http, `models/${id}/revision/${encodeURIComponent(revision)}?expand=sha`));
    const { sha } = Object(await response.json()) as { sha?: unknown };
    return checkedCommit(http, id, revision, sha);
  },
  files: async (http, id, commit) => {
    const entries: ListedEntry[] = [];
    for (let next: string | undefined = `models/${id}/tree/${commit}`; next !== undefined;) {
      const url = apiUrl(http, next);
      const response = await http.api(url);
      const page: unknown = await response.json();
      if (!Array.isArray(page)) throw badAnswer(http, `something else than files for ${id}`);
      entries.push(...(page as ListedEntry[]));
      if (entries.length > maxFiles) throw tooMany(http, id);
      const link = /<([^>]*)>\s*;\s*rel="?next"?/.exec(response.headers.get('link') ?? '')?.[1];
      next = link !== undefined && URL.canParse(link, url.href) ? new URL(link, url).href : undefined;
    }
    return checkedFiles(http, id, entries);
  },
};

/** A revision's commit, if it is one. */
export function checkedCommit(http: HubHttp, id: string, revision: string, sha: unknown): string {
  if (typeof sha === 'string' && /^[0-9a-f]{40}$/.test(sha)) return sha;
  throw badAnswer(http, `no commit for ${id}@${revision}`);
}

/** Files by name: their digests become names of files, their sizes decide what is asked for. */
export function checkedFiles(http: HubHttp, id: string, entries: readonly ListedEntry[]): Map<string, HubFile> {
  const files = new Map<string, HubFile>();
  for (const entry of entries) {
    const { type, path, size, oid, lfs } = Object(entry) as ListedEntry;
    if (typeof type === 'string' && type !== 'file') continue;
    const kind = lfs === undefined ? 'git-sha1' : 'sha256';
    const etag = lfs === undefined ? oid : Object(lfs).oid;
    const bytes = lfs === undefined ? size : Object(lfs).size;
    const digest = kind === 'sha256' ? /^[0-9a-f]{64}$/ : /^[0-9a-f]{40}$/;
    const sound = typeof path === 'string' && typeof etag === 'string' && digest.test(etag);
    if (!sound || !Number.isSafeInteger(bytes) || (bytes as number) < 0)
      throw badAnswer(http, `a file without name, size or digest for ${id}`);
    files.set(path, { name: path, size: bytes as number, etag, kind });
  }
  return files;
}

/** The address of a file's contents at a commit. */
export function contentsUrl(http: HubHttp, id: string, commit: string, name: string): URL {
  return new URL(`${hubUrl(http)}/${id}/resolve/${commit}/${encodeURIComponent(name)}`);
}

/** The hub's address without a slash at its end. */
export const hubUrl = (http: HubHttp): string => http.endpoint.href.replace(/\/+$/, '');

/** An address of the hub's interface; a whole address stays as it is. */
const apiUrl = (http: HubHttp, place: string): URL => new URL(place, `${hubUrl(http)}/api/`);

export const tooMany = (http: HubHttp, id: string): LimnError =>
  badAnswer(http, `more than ${maxFiles} files for ${id}`);

export function badAnswer(http: HubHttp, what: string): LimnError {
  return new LimnError('hub/bad-answer', `${http.endpoint.host} lists ${what}`, {
    details: { endpoint: http.endpoint.href },
    hint: 'Check the endpoint.',
  });
}
