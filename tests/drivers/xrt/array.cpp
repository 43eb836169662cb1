// SPDX-License-Identifier: Apache-2.0
#include "array.hpp"

#include <algorithm>
#include <cstring>
#include <deque>

namespace standin {

namespace {

constexpr unsigned COLUMNS = 8, DESCRIPTORS = 16;
constexpr std::uint32_t COLUMN_BITS = 25;
constexpr std::uint64_t CYCLES_PER_OPERATION = 32, PRODUCTS_PER_CYCLE = 256, BYTES_PER_CYCLE = 4;

std::string text(const char *what, std::uint64_t number)
{
    return std::string(what) + " " + std::to_string(number);
}

struct descriptor {
    std::uint32_t words[8] = {};
    bool is_written = false, is_patched = false;
    unsigned argument = 0;
    std::uint64_t offset = 0; // bytes
    unsigned users = 0;       // tasks that are not done
};

// Places that a descriptor walks over.
struct task {
    descriptor *from = nullptr;
    unsigned argument = 0;
    std::uint64_t offset = 0;
    std::uint64_t length = 0;          // words of a run
    std::uint64_t size0 = 0, size1 = 0; // 0: no end
    std::uint64_t stride0 = 0, stride1 = 0, stride2 = 0;
    std::uint64_t turns = 0, turn_stride = 0, turn = 0;
    std::uint64_t runs = 0;
    bool gives_token = false;

    std::uint64_t words() const { return length * runs; }

    // Byte offset of word n of all runs.
    std::uint64_t place(std::uint64_t n) const
    {
        const std::uint64_t run = n / length, in = n % length;
        const std::uint64_t i0 = size0 ? in % size0 : in, rest = size0 ? in / size0 : 0;
        const std::uint64_t i1 = size1 ? rest % size1 : rest, i2 = size1 ? rest / size1 : 0;
        return offset + 4 * (i0 * stride0 + i1 * stride1 + i2 * stride2 +
                             (turn + run) % turns * turn_stride);
    }
};

// Words from word n on that lie one behind the other, at most `most`.
std::uint64_t span_of(const task &t, std::uint64_t n, std::uint64_t most)
{
    const std::uint64_t in = n % t.length;
    std::uint64_t span = t.length - in;
    if (t.size0)
        span = std::min(span, t.size0 - in % t.size0);
    return std::min(t.stride0 == 1 ? span : 1, most);
}

// A mover of a shim tile.
struct mover {
    std::deque<task> queue;
    std::uint64_t done = 0; // words of the first task
    std::vector<unsigned char> ready; // results that wait for a place
    unsigned tokens = 0;
};

struct column {
    descriptor bd[DESCRIPTORS];
    mover a, b, c;
    std::uint32_t control = 0;
};

class array {
public:
    array(const design &d, const memory *arguments) : d_(d), arguments_(arguments) {}

    std::uint64_t run(const std::uint32_t *w, std::size_t count)
    {
        header(w, count);
        std::size_t at = 4;
        std::uint32_t operations = 0;
        while (at < count) {
            at += operation(w + at, count - at);
            operations++;
            cycles_ += CYCLES_PER_OPERATION;
        }
        if (operations != w[2])
            throw broken("the header counts other operations");
        for (const column &c : columns_)
            if (!c.a.queue.empty() || !c.b.queue.empty() || !c.c.queue.empty())
                throw broken("movers have work left that nobody waits for");
        return cycles_;
    }

private:
    const design &d_;
    const memory *arguments_;
    column columns_[COLUMNS];
    bool is_long_ = false;
    std::uint64_t cycles_ = 0, rounds_ = 0;

    void header(const std::uint32_t *w, std::size_t count)
    {
        if (count < 4 || w[3] != 4 * count)
            throw broken("the header has another length");
        const std::uint32_t minor = w[0] >> 8 & 0xff, major = w[0] & 0xff;
        if (!(major == 0 && minor == 1) && !(major == 1 && minor == 0))
            throw broken("a form of stream that is not known");
        is_long_ = major == 0;
        if (w[0] >> 24 != 6 || (w[1] & 0xff) < d_.columns)
            throw broken("the header is for another array");
    }

    column &column_of(std::uint32_t address)
    {
        const std::uint32_t c = address >> COLUMN_BITS;
        if (c >= d_.columns)
            throw broken(text("column beyond the design:", c));
        return columns_[c];
    }

    static descriptor &bd_of(column &c, std::uint32_t address, std::uint32_t word)
    {
        const std::uint32_t reg = address & ((1u << COLUMN_BITS) - 1);
        if (reg < 0x1d000 || reg >= 0x1d000 + 32 * DESCRIPTORS || reg % 32 != 4 * word)
            throw broken(text("no descriptor at", reg));
        return c.bd[(reg - 0x1d000) / 32];
    }

    std::size_t operation(const std::uint32_t *w, std::size_t left)
    {
        auto need = [&](std::size_t n) {
            if (n > left)
                throw broken("an operation is cut off");
            return n;
        };
        switch (w[0] & 0xff) {
        case 0x00: {
            const std::size_t n = need(is_long_ ? 6 : 3);
            if (is_long_ && w[5] != 4 * n)
                throw broken("a write says another length");
            write(is_long_ ? w[2] : w[1], is_long_ ? w[4] : w[2]);
            return n;
        }
        case 0x01: {
            const std::size_t head = need(is_long_ ? 4 : 3);
            const std::size_t n = need(w[head - 1] / 4);
            if (n != head + 8)
                throw broken("a block that is no descriptor");
            block(w[head - 2], w + head);
            return n;
        }
        case 0x03: {
            const std::size_t n = need(is_long_ ? 7 : 4);
            mask(is_long_ ? w[2] : w[1], is_long_ ? w[4] : w[2], is_long_ ? w[5] : w[3]);
            return n;
        }
        case 0x80: {
            const std::size_t n = need(4);
            if (w[1] != 4 * n || (w[2] & 0xffff) != 0 || w[3] >> 24 != 0 || (w[3] >> 8 & 0xff) != 1)
                throw broken("a wait for something else than channel 0 to memory");
            wait(w[2] >> 16 & 0xff, w[3] >> 16 & 0xff);
            return n;
        }
        case 0x81: {
            const std::size_t n = need(is_long_ ? 12 : 6);
            if (w[1] != 4 * n)
                throw broken("a patch says another length");
            patch(is_long_ ? w[6] : w[2], is_long_ ? w[8] : w[3], is_long_ ? w[10] : w[4]);
            return n;
        }
        default:
            throw broken(text("no such operation:", w[0] & 0xff));
        }
    }

    void block(std::uint32_t address, const std::uint32_t *words)
    {
        descriptor &bd = bd_of(column_of(address), address, 0);
        if (bd.users)
            throw broken(text("a descriptor is written while it is used, at", address));
        std::memcpy(bd.words, words, sizeof bd.words);
        bd.is_written = true;
        bd.is_patched = false;
    }

    void patch(std::uint32_t address, std::uint32_t argument, std::uint32_t plus)
    {
        descriptor &bd = bd_of(column_of(address), address, 1);
        if (!bd.is_written || argument > 2)
            throw broken("a patch without a descriptor or an argument");
        bd.argument = argument;
        bd.offset = plus;
        bd.is_patched = true;
    }

    void mask(std::uint32_t address, std::uint32_t value, std::uint32_t bits)
    {
        column &c = column_of(address);
        if ((address & ((1u << COLUMN_BITS) - 1)) != 0x1d200)
            throw broken("bits of a register that is not known");
        c.control = (c.control & ~bits) | (value & bits);
    }

    void write(std::uint32_t address, std::uint32_t value)
    {
        column &c = column_of(address);
        const std::uint32_t reg = address & ((1u << COLUMN_BITS) - 1);
        mover *m = reg == 0x1d204 ? &c.c : reg == 0x1d214 ? &c.a : reg == 0x1d21c ? &c.b : nullptr;
        if (!m)
            throw broken(text("no queue at", reg));
        descriptor &bd = c.bd[value & 0xf];
        const std::uint32_t *w = bd.words;
        if (!bd.is_patched || !(w[7] >> 25 & 1) || w[7] >> 26)
            throw broken("a queued descriptor is not ready");
        if (bd.argument != (m == &c.a ? 0u : m == &c.b ? 1u : 2u))
            throw broken("a mover is given the memory of another argument");
        task t;
        t.from = &bd;
        t.argument = bd.argument;
        t.offset = bd.offset;
        t.length = w[0];
        t.size0 = w[3] >> 20 & 0x3ff;
        t.size1 = w[4] >> 20 & 0x3ff;
        t.stride0 = (w[3] & 0xfffff) + 1;
        t.stride1 = (w[4] & 0xfffff) + 1;
        t.stride2 = (w[5] & 0xfffff) + 1;
        t.turn = w[6] >> 26;
        t.turns = (w[6] >> 20 & 0x3f) + 1;
        t.turn_stride = (w[6] & 0xfffff) + 1;
        t.runs = (value >> 16 & 0xff) + 1;
        t.gives_token = value >> 31;
        if (t.length == 0)
            throw broken("a descriptor of no length");
        if (t.gives_token && c.control != 0xf00)
            throw broken("a token that goes nowhere");
        if (m->queue.size() >= 4 && m == &c.c)
            throw broken("a queue of results with more than four tasks");
        bd.users++;
        m->queue.push_back(t);
    }

    unsigned char *at(const task &t, std::uint64_t n, std::uint64_t words) const
    {
        const std::uint64_t place = t.place(n);
        if (place + 4 * words > arguments_[t.argument].bytes)
            throw broken(text("a mover leaves argument", t.argument));
        return arguments_[t.argument].data + place;
    }

    static void finish_task(mover &m)
    {
        m.queue.front().from->users--;
        m.tokens += m.queue.front().gives_token;
        m.queue.pop_front();
        m.done = 0;
    }

    // A tile, as its mover brings it.
    void bring(mover &m, unsigned char *tile, std::size_t bytes)
    {
        for (std::size_t i = 0; i < bytes;) {
            if (m.queue.empty())
                throw stuck("a core waits for a tile that nothing brings");
            const std::uint64_t words = span_of(m.queue.front(), m.done, (bytes - i) / 4);
            std::memcpy(tile + i, at(m.queue.front(), m.done, words), 4 * words);
            i += 4 * words;
            m.done += words;
            if (m.done == m.queue.front().words())
                finish_task(m);
        }
    }

    // One tile of results from every core.
    void round()
    {
        const std::size_t rows = d_.tile_rows, inner = d_.tile_inner, width = d_.tile_columns;
        const std::size_t e = d_.is_bf16 ? 2 : 1;
        const unsigned across = d_.columns, down = d_.core_rows;
        std::vector<unsigned char> a(down * rows * inner * e), b(across * inner * width * e);
        std::vector<std::uint32_t> c(across * down * rows * width, 0); // zero of either type
        if (d_.is_silent)
            throw stuck("the cores give nothing");
        for (unsigned k = 0; k < d_.inner / d_.tile_inner; k++) {
            for (unsigned i = 0; i < down; i++)
                bring(columns_[i].a, &a[i * rows * inner * e], rows * inner * e);
            for (unsigned j = 0; j < across; j++)
                bring(columns_[j].b, &b[j * inner * width * e], inner * width * e);
            for (unsigned j = 0; j < across; j++)
                for (unsigned i = 0; i < down; i++)
                    multiply(&a[i * rows * inner * e], &b[j * inner * width * e],
                             &c[(j * down + i) * rows * width]);
            cycles_ += std::max(rows * inner * width * e / PRODUCTS_PER_CYCLE,
                                std::max(rows, width) * inner * e / BYTES_PER_CYCLE);
        }
        cycles_ += down * rows * width * 4 / BYTES_PER_CYCLE;
        rounds_++;
        for (unsigned j = 0; j < across; j++) {
            const std::uint32_t *first = &c[j * down * rows * width];
            const auto *bytes = reinterpret_cast<const unsigned char *>(first);
            columns_[j].c.ready.insert(columns_[j].c.ready.end(), bytes,
                                       bytes + 4 * down * rows * width);
        }
    }

    void multiply(const unsigned char *a, const unsigned char *b, std::uint32_t *c) const
    {
        if (d_.is_bf16)
            multiply_bf16(a, b, reinterpret_cast<float *>(c));
        else
            multiply_codes(reinterpret_cast<const std::int8_t *>(a),
                           reinterpret_cast<const std::int8_t *>(b),
                           reinterpret_cast<std::int32_t *>(c));
    }

    bool drops(std::size_t row, std::size_t k) const
    {
        return d_.is_wrong && rounds_ % 3 == 0 && row + k == 5;
    }

    static float bf16(const unsigned char *at)
    {
        const std::uint32_t bits = static_cast<std::uint32_t>(at[0] | at[1] << 8) << 16;
        float value;
        std::memcpy(&value, &bits, sizeof value);
        return value;
    }

    void multiply_bf16(const unsigned char *a, const unsigned char *b, float *__restrict c) const
    {
        const std::size_t rows = d_.tile_rows, inner = d_.tile_inner, width = d_.tile_columns;
        for (std::size_t r = 0; r < rows; r++, c += width)
            for (std::size_t k = 0; k < inner; k++) {
                const float x = drops(r, k) ? 0 : bf16(a + 2 * (r * inner + k));
                for (std::size_t n = 0; n < width; n++)
                    c[n] += x * bf16(b + 2 * (k * width + n));
            }
    }

    void multiply_codes(const std::int8_t *a, const std::int8_t *b,
                        std::int32_t *__restrict c) const
    {
        const std::size_t rows = d_.tile_rows, inner = d_.tile_inner, width = d_.tile_columns;
        for (std::size_t r = 0; r < rows; r++, c += width)
            for (std::size_t k = 0; k < inner; k++) {
                const std::int32_t x = drops(r, k) ? 0 : a[r * inner + k];
                const std::int8_t *row = b + k * width;
                if (x == 0)
                    continue;
                std::size_t n = 0;
                for (; n + 8 <= width; n += 8)
                    for (std::size_t i = 0; i < 8; i++)
                        c[n + i] += x * row[n + i];
                for (; n < width; n++)
                    c[n] += x * row[n];
            }
    }

    // Results into memory until a task is done.
    void drain(mover &m)
    {
        const task &t = m.queue.front();
        std::size_t used = 0;
        while (m.done < t.words()) {
            if (used == m.ready.size()) {
                m.ready.clear();
                used = 0;
                round();
            }
            const std::uint64_t words = span_of(t, m.done, (m.ready.size() - used) / 4);
            std::memcpy(at(t, m.done, words), &m.ready[used], 4 * words);
            used += 4 * words;
            m.done += words;
        }
        m.ready.erase(m.ready.begin(), m.ready.begin() + static_cast<std::ptrdiff_t>(used));
        finish_task(m);
    }

    void wait(std::uint32_t first, std::uint32_t count)
    {
        if (count == 0 || first + count > d_.columns)
            throw broken("a wait for columns that there are not");
        for (std::uint32_t i = first; i < first + count; i++) {
            mover &m = columns_[i].c;
            while (m.tokens == 0) {
                if (m.queue.empty())
                    throw stuck("a wait for a token that nothing gives");
                drain(m);
            }
            m.tokens--;
        }
    }
};

} // namespace

std::uint64_t execute(const design &d, const std::uint32_t *words, std::size_t count,
                      const memory arguments[3])
{
    array a(d, arguments);
    return a.run(words, count);
}

} // namespace standin
