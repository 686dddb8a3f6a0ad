"""Reads a captured stream of frames and prints each as a line of JSON, batches record by record.

It was written from the documentation, not from the Rust code, and shares nothing with it: where the two differ, one of
them is wrong. It needs the package msgpack.

    read_frames.py STREAM TYPES

TYPES is JSON: the type of the records of each channel, by the channel's number. A type is the name of a plain one, as
"u64" or "String", {"option": TYPE}, {"fields": [TYPE, ..]} for a tuple or a struct, or "rows" for all that has no columns.
"""

import json
import struct
import sys

import msgpack

KINDS = ["hello", "ping", "message", "records", "element", "credit", "clock"]
FIELDS = ["protocol", "job", "run", "channel", "sequence", "epoch", "kind", "clock", "records", "body", "checksum"]
FIXED = {
    "u8": "B", "u16": "H", "u32": "I", "u64": "Q", "usize": "Q", "Position": "Q",
    "i8": "b", "i16": "h", "i32": "i", "i64": "q", "isize": "q",
    "EventTime": "q", "ProcessingTime": "q", "Watermark": "q",
    "f32": "f", "f64": "d", "bool": "B", "char": "I",
}
COMPRESSED = ord("L")


def crc32c(data):
    checksum = 0xFFFFFFFF
    for byte in data:
        checksum ^= byte
        for _ in range(8):
            checksum = checksum >> 1 ^ (0x82F63B78 if checksum & 1 else 0)
    return checksum ^ 0xFFFFFFFF


def frames(data):
    """The fields of each frame, whose checksum was right."""
    unpacker = msgpack.Unpacker(max_buffer_size=len(data))
    unpacker.feed(data)
    begin = 0
    for fields in unpacker:
        end = unpacker.tell()
        frame = dict(zip(FIELDS, fields, strict=True))
        assert frame["protocol"] == 1, f"protocol {frame['protocol']}"
        assert frame.pop("checksum") == crc32c(data[begin : end - 5]), f"the frame at {begin} is damaged"
        frame["kind"] = KINDS[frame["kind"]]
        begin = end
        yield frame
    assert begin == len(data), f"the last frame ends at {begin} of {len(data)}"


def expand(body):
    """The body as it was before it was compressed."""
    value = msgpack.unpackb(body, max_ext_len=len(body))
    if not isinstance(value, msgpack.ExtType):
        return body
    assert value.code == COMPRESSED, f"extension {value.code}"
    (length,) = struct.unpack_from("<I", value.data)
    block, at, out = value.data, 4, bytearray()

    def more(length):
        nonlocal at
        byte = 255 if length == 15 else 0
        while byte == 255:
            byte = block[at]
            length += byte
            at += 1
        return length

    while at < len(block):
        token = block[at]
        at += 1
        literals = more(token >> 4)
        out += block[at : at + literals]
        at += literals
        if at == len(block):
            break
        offset = block[at] | block[at + 1] << 8
        at += 2
        for _ in range(more(token & 15) + 4):
            out.append(out[-offset])
    assert len(out) == length, f"a block of {len(out)} bytes, said to be {length}"
    return bytes(out)


def values(kind, count, columns):
    """So many values of a type, whose columns are taken off the front."""
    if kind == "()":
        return [None] * count
    if kind == "rows":
        column = columns.pop(0)
        unpacker = msgpack.Unpacker(strict_map_key=False)
        unpacker.feed(column)
        rows = list(unpacker)
        assert len(rows) == count and unpacker.tell() == len(column), f"{len(rows)} rows for {count} records"
        return rows
    if kind == "String":
        lengths = [length for (length,) in struct.iter_unpack("<I", columns.pop(0))]
        texts, at, found = columns.pop(0), 0, []
        for length in lengths:
            found.append(texts[at : at + length].decode())
            at += length
        assert len(found) == count and at == len(texts)
        return found
    if kind == "Duration":
        found = [{"secs": secs, "nanos": nanos} for secs, nanos in struct.iter_unpack("<QI", columns.pop(0))]
        assert len(found) == count
        return found
    if kind in ("u128", "i128"):
        column = columns.pop(0)
        assert len(column) == count * 16
        parts = (column[at : at + 16] for at in range(0, len(column), 16))
        # As text: such a number is too large for most readers of JSON.
        return [str(int.from_bytes(part, "little", signed=kind == "i128")) for part in parts]
    if isinstance(kind, dict) and "option" in kind:
        presence = columns.pop(0)
        assert len(presence) == count
        there = iter(values(kind["option"], presence.count(1), columns))
        return [next(there) if byte else None for byte in presence]
    if isinstance(kind, dict):
        fields = [values(field, count, columns) for field in kind["fields"]]
        return [list(record) for record in zip(*fields, strict=True)]
    found = [value for (value,) in struct.iter_unpack("<" + FIXED[kind], columns.pop(0))]
    assert len(found) == count, f"{len(found)} of {kind} for {count} records"
    if kind == "bool":
        return [bool(value) for value in found]
    return [chr(value) for value in found] if kind == "char" else found


def parts(body):
    """The watermark, the origin and the batch of a body of records."""
    watermark, origin, batch = msgpack.unpackb(body, max_bin_len=len(body))
    return watermark, origin, batch


def batch(parts, kind):
    """The records of a batch, each with its time."""
    count, times, *columns = parts
    times = values("EventTime", count, [times])
    records = values(kind, count, columns)
    assert not columns, f"{len(columns)} columns too many"
    return [{"time": time, "value": value} for time, value in zip(times, records, strict=True)]


def main():
    stream, types = sys.argv[1:]
    types = json.loads(types)
    with open(stream, "rb") as file:
        data = file.read()
    for frame in frames(data):
        body = frame.pop("body")
        if frame["kind"] == "records":
            count = frame["records"]
            frame["watermark"], frame["origin"], records = parts(expand(body))
            frame["records"] = batch(records, types[str(frame["channel"])])
            assert len(frame["records"]) == count
        else:
            frame["body"] = body.hex()
        print(json.dumps(frame))


main()
