// What a repository on the hub holds, by @huggingface/hub: the commit behind a revision, and size and digest of each file.
import { LimnError } from '@limn/gpu';
import type { HubFile } from './cache.js';
import type { HubHttp } from './http.js';

const maxFiles = 10_000;

/** @throws LimnError `hub/bad-answer`, and what `HubHttp.ask` throws. */
export async function resolveCommit(http: HubHttp, id: string, revision: string): Promise<string> {
  const { modelInfo } = await import('@huggingface/hub');
  const { sha } = await understood(http, id, () =>
    modelInfo({ name: id, revision, additionalFields: ['sha'], hubUrl: hubUrl(http), fetch: http.api }),
  );
  if (typeof sha !== 'string' || !/^[0-9a-f]{40}$/.test(sha)) throw bad(http, `no commit for ${id}@${revision}`);
  return sha;
}

/**
 * The files in the root folder of a repository, by name.
 * @throws LimnError `hub/bad-answer`, and what `HubHttp.ask` throws.
 */
export async function listRepository(http: HubHttp, id: string, commit: string): Promise<Map<string, HubFile>> {
  const { listFiles } = await import('@huggingface/hub');
  const files = new Map<string, HubFile>();
  const repo = { type: 'model', name: id } as const;
  const entries = await understood(http, id, async () => {
    const found = [];
    for await (const entry of listFiles({ repo, revision: commit, hubUrl: hubUrl(http), fetch: http.api })) {
      if (entry.type !== 'file') continue;
      if (found.push(entry) > maxFiles) throw bad(http, `more than ${maxFiles} files for ${id}`);
    }
    return found;
  });
  for (const { path, lfs, ...entry } of entries) {
    const [etag, kind, size] = lfs
      ? [lfs.oid, 'sha256' as const, lfs.size]
      : [entry.oid ?? '', 'git-sha1' as const, entry.size];
    // The digest becomes the name of a file, the size decides what is asked for.
    const digest = kind === 'sha256' ? /^[0-9a-f]{64}$/ : /^[0-9a-f]{40}$/;
    if (typeof path !== 'string' || !digest.test(etag) || !Number.isSafeInteger(size) || size < 0)
      throw bad(http, `a file without name, size or digest for ${id}`);
    files.set(path, { name: path, size, etag, kind });
  }
  return files;
}

/** The address of a file's contents at a commit. */
export function contentsUrl(http: HubHttp, id: string, commit: string, name: string): URL {
  return new URL(`${hubUrl(http)}/${id}/resolve/${commit}/${encodeURIComponent(name)}`);
}

/** What the library makes of an answer that is JSON, but not what it expects, is a TypeError. */
async function understood<T>(http: HubHttp, id: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (cause) {
    http.signal?.throwIfAborted();
    if (cause instanceof LimnError) throw cause;
    throw bad(http, `something for ${id} that is not understood: ${String((cause as Error).message)}`);
  }
}

const hubUrl = (http: HubHttp): string => http.endpoint.href.replace(/\/+$/, '');

function bad(http: HubHttp, what: string): LimnError {
  return new LimnError('hub/bad-answer', `${http.endpoint.host} lists ${what}`, {
    details: { endpoint: http.endpoint.href },
    hint: 'Check the endpoint.',
  });
}
