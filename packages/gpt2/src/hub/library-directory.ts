// Looks up repositories with @huggingface/hub, in Node. The library is loaded when a hub is first asked.
import { LimnError } from '@limn/gpu';
import {
  badAnswer,
  checkedCommit,
  checkedFiles,
  hubUrl,
  maxFiles,
  tooMany,
  type HubDirectory,
  type ListedEntry,
} from './directory.js';
import type { HubHttp } from './http.js';

export const libraryDirectory: HubDirectory = {
  commit: async (http, id, revision) => {
    const { modelInfo } = await import('@huggingface/hub');
    const fields = { additionalFields: ['sha'] as ['sha'], hubUrl: hubUrl(http), fetch: http.api };
    const { sha } = await understood(http, id, () => modelInfo({ name: id, revision, ...fields }));
    return checkedCommit(http, id, revision, sha);
  },
  files: async (http, id, commit) => {
    const { listFiles } = await import('@huggingface/hub');
    const repo = { type: 'model', name: id } as const;
    const entries = await understood(http, id, async () => {
      const found: ListedEntry[] = [];
      for await (const entry of listFiles({ repo, revision: commit, hubUrl: hubUrl(http), fetch: http.api })) {
        if (found.push(entry) > maxFiles) throw tooMany(http, id);
      }
      return found;
    });
    return checkedFiles(http, id, entries);
  },
};

/** What the library makes of an answer that is JSON, but not what it expects, is a TypeError. */
async function understood<T>(http: HubHttp, id: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (cause) {
    http.signal?.throwIfAborted();
    if (cause instanceof LimnError) throw cause;
    throw badAnswer(http, `something for ${id} that is not understood: ${String((cause as Error).message)}`);
  }
}
