/** Reading a binlog event's body from front to back. */

/** The bytes are not what the event's layout says. Carries no bytes; the decoder adds table, column and position. */
export class DecodeFault extends Error {
  override readonly name = 'DecodeFault';
}

/** Layout is understood but what it says cannot be ferried exactly. */
export class UnsupportedFault extends Error {
  override readonly name = 'UnsupportedFault';
  readonly hint: string | undefined;
  readonly column: string | undefined;

  constructor(message: string, options: { readonly hint?: string; readonly column?: string } = {}) {
    super(message);
    this.hint = options.hint;
    this.column = options.column;
  }
}

/**
 * A place in a buffer that ends where the event's body ends (without its checksum): a read past it throws. Fields are public
 * and unguarded because the column readers use them for each value.
 */
export class Cursor {
  readonly buf: Buffer;
  pos: number;
  /** The column that is being read, so that a fault can name it. */
  column = -1;

  constructor(buf: Buffer, pos = 0) {
    this.buf = buf;
    this.pos = pos;
  }

  get left(): number {
    return this.buf.length - this.pos;
  }

  u8(): number {
    return this.buf.readUInt8(this.pos++);
  }

  u16(): number {
    const value = this.buf.readUInt16LE(this.pos);
    this.pos += 2;
    return value;
  }

  u32(): number {
    const value = this.buf.readUInt32LE(this.pos);
    this.pos += 4;
    return value;
  }

  /** Six bytes, as table ids have. */
  u48(): number {
    const value = this.buf.readUIntLE(this.pos, 6);
    this.pos += 6;
    return value;
  }

  /** Eight bytes; a value past 2^53 throws. */
  u64(): number {
    const value = this.buf.readUInt32LE(this.pos + 4) * 0x1_0000_0000 + this.buf.readUInt32LE(this.pos);
    if (!Number.isSafeInteger(value)) throw new DecodeFault('a 64-bit number is larger than 2^53');
    this.pos += 8;
    return value;
  }

  /** MySQL's length-encoded integer. */
  lenenc(): number {
    const first = this.u8();
    if (first < 251) return first;
    if (first === 252) return this.u16();
    if (first === 253) {
      const value = this.buf.readUIntLE(this.pos, 3);
      this.pos += 3;
      return value;
    }
    if (first === 254) return this.u64();
    throw new DecodeFault('a length is neither short nor long');
  }

  /** The next bytes as a view. */
  bytes(length: number): Buffer {
    const end = this.pos + length;
    if (end > this.buf.length) throw new DecodeFault('the event is shorter than its fields say');
    const view = this.buf.subarray(this.pos, end);
    this.pos = end;
    return view;
  }

  utf8(length: number): string {
    return this.bytes(length).toString('utf8');
  }

  skip(length: number): void {
    this.pos += length;
    if (this.pos > this.buf.length) throw new DecodeFault('the event is shorter than its fields say');
  }
}
