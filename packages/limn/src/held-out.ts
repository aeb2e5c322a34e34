// Documents that a training run never sees: a part of a corpus, chosen by what is in them, so that equal documents stay on one side.
import { LimnError } from '@limn/gpu';

/** A corpus in two. */
export interface HeldOutSplit {
  readonly trained: readonly Uint32Array[];
  /** Rows of at most `longest` ids cut from the other documents: each of their targets is in one of them. */
  readonly heldOut: readonly Uint32Array[];
}

/** Held-out loss is measured on at most this many rows; more tell little and take time. */
const MOST_ROWS = 256;

/**
 * Holds out `part` of the distinct documents, those of the smallest hash: the same ones in every run, whatever their order. A row that
 * is also a row or window of a trained document is left out, since its loss would say nothing about new text.
 * @throws LimnError `data/held-out` when the corpus is too small or too repetitive for any
 */
export function splitHeldOut(documents: readonly Uint32Array[], part: number, longest: number): HeldOutSplit {
  if (part === 0) return { trained: documents, heldOut: [] };
  const keys = documents.map((document) => hashOf(document));
  const distinct = [...new Set(keys)].sort((a, b) => a - b);
  const chosen = new Set(distinct.slice(0, Math.max(1, Math.floor(part * distinct.length))));
  const trained = documents.filter((_, i) => !chosen.has(keys[i] as number));
  const rows = [...chosen].flatMap((key) => rowsOf(documents[keys.indexOf(key)] as Uint32Array, longest));
  const seen = windowHashes(trained, longest);
  const heldOut = rows.filter((row) => !seen.has(hashOf(row))).slice(0, MOST_ROWS);
  if (trained.length > 0 && heldOut.length > 0) return { trained, heldOut };
  throw new LimnError(
    'data/held-out',
    trained.length === 0
      ? `of ${distinct.length} distinct documents none would be left to train on`
      : 'every row that would be held out also stands in a document that is trained on',
    {
      details: { documents: documents.length, distinct: distinct.length, part },
      hint: 'pass --held-out 0 to hold out none',
    },
  );
}

/** A document in rows of at most `longest` ids that share one id, so that every target is in exactly one; a row has at least one target. */
function rowsOf(document: Uint32Array, longest: number): Uint32Array[] {
  const rows: Uint32Array[] = [];
  for (let start = 0; start + 1 < document.length; start += longest - 1)
    rows.push(document.subarray(start, start + longest));
  return rows;
}

/** Base and (prime) modulus of the polynomial hash: products with a residue stay below 2⁵³. */
const [BASE, MODULUS] = [48_271, 169_999_999_963];
const term = (id: number): number => (id % 50_000) + 1;
const withLength = (hash: number, length: number): number => hash * 1024 + (length % 1024);

/** Σ term(id) · BASE^(n − 1 − i) mod MODULUS, with the length behind it. */
function hashOf(ids: Uint32Array): number {
  let hash = 0;
  for (const id of ids) hash = (hash * BASE + term(id)) % MODULUS;
  return withLength(hash, ids.length);
}

/** The hashes of every row that training may draw: whole documents, and all windows of `longest` of those that are longer. */
function windowHashes(documents: readonly Uint32Array[], longest: number): Set<number> {
  const found = new Set<number>();
  let top = 1;
  for (let i = 1; i < longest; i++) top = (top * BASE) % MODULUS;
  for (const document of documents) {
    if (document.length <= longest) {
      found.add(hashOf(document));
      continue;
    }
    let hash = 0;
    document.forEach((id, at) => {
      if (at >= longest) {
        const gone = (term(document[at - longest] as number) * top) % MODULUS;
        hash = (hash - gone + MODULUS) % MODULUS;
      }
      hash = (hash * BASE + term(id)) % MODULUS;
      if (at + 1 >= longest) found.add(withLength(hash, longest));
    });
  }
  return found;
}
