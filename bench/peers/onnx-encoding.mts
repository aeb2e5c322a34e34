// ONNX models as bytes: the part of onnx.proto (IR version 9) that the benches' graphs need, written by protobufjs' Writer.
import { peerPackage } from './packages.mjs';

/** A value in a graph: float32 data, int64 or int32 numbers; dims are its shape. */
export interface OnnxTensor {
  readonly name: string;
  readonly dims: readonly number[];
  readonly data: Float32Array | BigInt64Array | Int32Array;
}

export type OnnxAttribute =
  | { readonly int: number }
  | { readonly ints: readonly number[] }
  | { readonly float: number }
  | { readonly text: string };

/** An empty input name leaves an optional input out. */
export interface OnnxNode {
  readonly op: string;
  /** ONNX's own operators where absent. */
  readonly domain?: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, OnnxAttribute>>;
}

/** A float32 value that comes from outside or goes there. */
export interface OnnxValue {
  readonly name: string;
  readonly dims: readonly number[];
}

export interface OnnxGraph {
  readonly nodes: readonly OnnxNode[];
  readonly constants: readonly OnnxTensor[];
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
}

/** What is needed of protobufjs' Writer; a tag is field · 8 + wire type. */
interface Writer {
  uint32(value: number): Writer;
  int64(value: number): Writer;
  float(value: number): Writer;
  string(value: string): Writer;
  bytes(value: Uint8Array): Writer;
  fork(): Writer;
  ldelim(): Writer;
  finish(): Uint8Array;
}

/** ONNX's numbers for element types. */
const FLOAT = 1;
const INT32 = 6;
const INT64 = 7;
/** Operator sets: ONNX 20 has Gelu; com.microsoft is onnxruntime's own. */
const OPERATOR_SETS = [
  { domain: '', version: 20 },
  { domain: 'com.microsoft', version: 1 },
];

/** The bytes of a model. Throws where protobufjs is not installed. */
export function encodeModel(graph: OnnxGraph): Uint8Array {
  const { Writer } = peerPackage('protobufjs/minimal.js') as { Writer: { create(): Writer } };
  const model = Writer.create();
  number(model, 1, 9);
  text(model, 2, 'limn bench');
  message(model, 7, () => writeGraph(model, graph));
  for (const { domain, version } of OPERATOR_SETS)
    message(model, 8, () => {
      text(model, 1, domain);
      number(model, 2, version);
    });
  return model.finish();
}

const VARINT = 0;
const BYTES = 2;
const FIXED32 = 5;

const number = (to: Writer, field: number, value: number): Writer => to.uint32(field * 8 + VARINT).int64(value);
const text = (to: Writer, field: number, value: string): Writer => to.uint32(field * 8 + BYTES).string(value);

function message(to: Writer, field: number, write: () => void): void {
  to.uint32(field * 8 + BYTES).fork();
  write();
  to.ldelim();
}

function writeGraph(to: Writer, { nodes, constants, inputs, outputs }: OnnxGraph): void {
  for (const node of nodes) message(to, 1, () => writeNode(to, node));
  text(to, 2, 'graph');
  for (const tensor of constants) message(to, 5, () => writeTensor(to, tensor));
  for (const value of inputs) message(to, 11, () => writeValue(to, value));
  for (const value of outputs) message(to, 12, () => writeValue(to, value));
}

function writeValue(to: Writer, { name, dims }: OnnxValue): void {
  text(to, 1, name);
  message(to, 2, () => message(to, 1, () => writeTensorType(to, dims)));
}

function writeNode(to: Writer, { op, domain, inputs, outputs, attributes }: OnnxNode): void {
  for (const name of inputs) text(to, 1, name);
  for (const name of outputs) text(to, 2, name);
  text(to, 4, op);
  for (const [name, value] of Object.entries(attributes))
    message(to, 5, () => {
      text(to, 1, name);
      writeAttributeValue(to, value);
    });
  if (domain !== undefined) text(to, 7, domain);
}

/** The value in the field of its type, then the number of that type. */
function writeAttributeValue(to: Writer, value: OnnxAttribute): void {
  if ('float' in value) {
    to.uint32(2 * 8 + FIXED32).float(value.float);
    number(to, 20, 1);
  } else if ('int' in value) {
    number(to, 3, value.int);
    number(to, 20, 2);
  } else if ('text' in value) {
    text(to, 4, value.text);
    number(to, 20, 3);
  } else {
    for (const each of value.ints) number(to, 8, each);
    number(to, 20, 7);
  }
}

/** Raw data are little-endian, as typed arrays are on every machine that Node runs on. */
function writeTensor(to: Writer, { name, dims, data }: OnnxTensor): void {
  for (const dim of dims) number(to, 1, dim);
  number(to, 2, data instanceof Float32Array ? FLOAT : data instanceof Int32Array ? INT32 : INT64);
  text(to, 8, name);
  to.uint32(9 * 8 + BYTES).bytes(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
}

function writeTensorType(to: Writer, dims: readonly number[]): void {
  number(to, 1, FLOAT);
  message(to, 2, () => {
    for (const dim of dims) message(to, 1, () => number(to, 1, dim));
  });
}
