// Says what a model's name means: a path, an address, or an id on the Hugging Face Hub. Only an id or an address leads to the network.
import { LimnError } from '@limn/gpu';

/** Where a model is. */
export type ModelPlace =
  | { readonly kind: 'path'; readonly path: string | URL }
  | { readonly kind: 'address'; readonly url: URL }
  | { readonly kind: 'hub'; readonly id: string; readonly revision: string };

/**
 * `./dir`, `../dir`, `/dir`, `~/dir`, `C:\dir` and `file:` are paths; `http:` and `https:` are addresses of folders; anything else is
 * an id, `owner/name` or `name`, with an optional `@revision` (a branch, a tag or a commit). A folder called `gpt2` is `./gpt2`.
 * @throws LimnError `hub/bad-id`
 */
export function placeOf(name: string | URL, revision?: string): ModelPlace {
  const text = String(name);
  if (/^(https?:\/\/|file:)/i.test(text)) {
    if (!URL.canParse(text)) {
      throw new LimnError('hub/bad-id', `${JSON.stringify(text.slice(0, 200))} is no address`, {
        details: { name: text.slice(0, 200) },
        hint: 'An address looks like https://host/folder/, or file:///folder.',
      });
    }
    const url = new URL(text);
    return url.protocol === 'file:' ? { kind: 'path', path: url } : { kind: 'address', url };
  }
  if (/^[./~\\]|^[A-Za-z]:[\\/]/.test(text)) return { kind: 'path', path: text };
  const [, id = '', stated] = /^([^@]*)(?:@(.*))?$/s.exec(text) ?? [];
  if (!isModelId(id)) {
    throw new LimnError('hub/bad-id', `${JSON.stringify(text.slice(0, 200))} is no model id`, {
      details: { name: text.slice(0, 200) },
      hint: 'An id is name or owner/name, with @revision if need be. Write a folder as ./folder, an address with https://.',
    });
  }
  if (stated !== undefined && revision !== undefined && stated !== revision) {
    throw new LimnError('hub/bad-id', `${text} names the revision ${stated}, the options name ${revision}`, {
      details: { name: text, revision },
    });
  }
  const chosen = stated ?? revision ?? 'main';
  if (!isRevision(chosen)) {
    throw new LimnError('hub/bad-id', `${JSON.stringify(chosen.slice(0, 200))} is no revision`, {
      details: { revision: chosen.slice(0, 200) },
      hint: 'A revision is a branch, a tag or a commit.',
    });
  }
  return { kind: 'hub', id, revision: chosen };
}

/** The Hub's own rule for repository names; it also keeps ids from being paths or option-like, and from colliding in the cache. */
function isModelId(id: string): boolean {
  const parts = id.split('/');
  return (
    parts.length <= 2 &&
    parts.every((part) => /^[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9_])?$/.test(part)) &&
    !/--|\.\.|\.git$|\.ipynb$/.test(id)
  );
}

/** A git reference whose every part is a plain folder name; also `refs/pr/3`. */
function isRevision(revision: string): boolean {
  return (
    revision.length <= 200 &&
    !revision.includes('..') &&
    revision.split('/').every((part) => /^[A-Za-z0-9_](?:[A-Za-z0-9._+-]*[A-Za-z0-9_+-])?$/.test(part)) &&
    !revision.endsWith('.lock')
  );
}
