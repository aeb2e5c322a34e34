// Pages of many features in few files: features/index.json.gz with a file and offsets for each layer, and in each file a packed record for each feature.
import { CheckedFields } from '@limn/hooks';
import { cantorUnpair } from './cantor.js';
import type { DictionaryFile, DictionaryFiles } from './dictionary-files.js';
import { checkFeatureJson, type FeatureJson } from './feature-json.js';
import { gzipped, inflated } from './inflate.js';

const INDEX = 'features/index.json.gz';
const MOST_INDEX_BYTES = 2 ** 28;
/** Of a page with some hundred examples. */
const MOST_RECORD_BYTES = 2 ** 24;
const MOST_LAYERS = 10_000;

const fields = new CheckedFields(
  'data/feature-store',
  'The store of features',
  'Write it again, or copy it whole: features/index.json.gz and the files that it names.',
);

/** Pages that are read one by one. */
export interface FeatureStore {
  /** Layers that have pages, and how many. */
  readonly layers: ReadonlyMap<number, number>;
  /**
   * The page of a feature; undefined where it has none.
   * @throws LimnError `data/feature-store`, `data/feature-json`, `data/packed`; what the source of the files throws
   */
  read(layer: number, feature: number): Promise<FeatureJson | undefined>;
  /** The page of a node of a graph file, by Cantor's number. @throws LimnError `usage/feature-number`, and as `read` */
  readNode(number: number): Promise<FeatureJson | undefined>;
}

/**
 * The files of a store, one layer after the other and the index last. A record is its length (u32, little-endian) and gzip of the JSON; a
 * feature without a page has a record of no bytes, so that feature f lies at offsets[f] to offsets[f + 1].
 * @throws LimnError `data/feature-json`; `data/feature-store` for a page that is not at its own index
 */
export async function* writeFeatureStore(
  layers: Iterable<readonly [layer: number, pages: readonly (FeatureJson | undefined)[]]>,
): AsyncGenerator<DictionaryFile> {
  const index: Record<string, { readonly filename: string; readonly offsets: readonly number[] }> = {};
  for (const [layer, pages] of layers) {
    const filename = `layer_${fields.whole(layer, 'layer', 0, MOST_LAYERS)}.bin`;
    const parts: Uint8Array[] = [];
    const offsets = [0];
    let end = 0;
    for (const [feature, page] of pages.entries()) {
      if (page) {
        if (checkFeatureJson(page).index !== feature) throw fields.refuse('index', page.index, `${feature}, its own`);
        const packed = await gzipped(new TextEncoder().encode(JSON.stringify(page)));
        const head = new Uint8Array(4);
        new DataView(head.buffer).setUint32(0, packed.length, true);
        parts.push(head, packed);
        end += 4 + packed.length;
      }
      offsets.push(end);
    }
    index[layer] = { filename, offsets };
    yield { name: `features/${filename}`, bytes: new Uint8Array(await new Blob(parts as BlobPart[]).arrayBuffer()) };
  }
  yield { name: INDEX, bytes: await gzipped(new TextEncoder().encode(JSON.stringify(index))) };
}

/**
 * Opens a store: its index is read, pages are read when they are asked for.
 * @throws LimnError `data/feature-store` for an index of another form, `data/packed`; what the source of the files throws
 */
export async function openFeatureStore(files: DictionaryFiles): Promise<FeatureStore> {
  const size = await files.size(INDEX);
  if (size > MOST_INDEX_BYTES) throw fields.refuse(INDEX, `${size} bytes`, `at most ${MOST_INDEX_BYTES}`);
  const index = fields.parse(
    new TextDecoder().decode(await inflated(await files.bytes(INDEX, 0, size), MOST_INDEX_BYTES)),
  );
  const places = new Map<number, { readonly file: string; readonly offsets: readonly number[] }>();
  for (const [key, given] of Object.entries(index)) {
    const layer = fields.whole(/^\d{1,5}$/.test(key) ? Number(key) : key, 'a layer', 0, MOST_LAYERS);
    const entry = fields.record(given, key);
    const filename = fields.text(entry.filename, `${key}.filename`);
    if (!/^[\w.-]+$/.test(filename)) throw fields.refuse(`${key}.filename`, filename, 'a plain file name');
    places.set(layer, {
      file: `features/${filename}`,
      offsets: await offsetsOf(files, key, `features/${filename}`, entry.offsets),
    });
  }
  const read: FeatureStore['read'] = async (layer, feature) => {
    const place = places.get(layer);
    const [from, to] = [place?.offsets[feature], place?.offsets[feature + 1]];
    if (!place || from === undefined || to === undefined || from === to) return undefined;
    return readRecord(files, place.file, from, to, feature);
  };
  return {
    layers: new Map(Array.from(places, ([layer, { offsets }]) => [layer, offsets.length - 1])),
    read,
    readNode: async (number) => {
      const { layer, feature } = cantorUnpair(number);
      return read(layer, feature);
    },
  };
}

async function offsetsOf(
  files: DictionaryFiles,
  key: string,
  file: string,
  given: unknown,
): Promise<readonly number[]> {
  const size = await files.size(file);
  let before = 0;
  return fields.list(given, `${key}.offsets`).map((offset, i) => {
    before = fields.whole(offset, `${key}.offsets[${i}]`, before, size);
    return before;
  });
}

async function readRecord(
  files: DictionaryFiles,
  file: string,
  from: number,
  to: number,
  feature: number,
): Promise<FeatureJson> {
  const at = `${file} at ${from}`;
  if (to - from > MOST_RECORD_BYTES || to - from < 4)
    throw fields.refuse(at, `${to - from} bytes`, `4 to ${MOST_RECORD_BYTES}`);
  const record = await files.bytes(file, from, to);
  const length = new DataView(record.buffer, record.byteOffset).getUint32(0, true);
  if (length !== record.length - 4)
    throw fields.refuse(at, length, `${record.length - 4}, the length of the record behind it`);
  const page = checkFeatureJson(
    fields.parse(new TextDecoder().decode(await inflated(record.subarray(4), MOST_RECORD_BYTES))),
  );
  if (page.index !== feature)
    throw fields.refuse(`${at}: index`, page.index, `${feature}, as the index of the store says`);
  return page;
}
