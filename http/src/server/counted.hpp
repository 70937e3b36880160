#ifndef BELAY_HTTP_SERVER_COUNTED_HPP
#define BELAY_HTTP_SERVER_COUNTED_HPP

namespace belay::http {

/// Adds to a count while it lives.
template <class Number>
class counted {
public:
    explicit counted(Number& total, Number part = 0) : total_(total) { set(part); }
    counted(counted const&) = delete;
    counted& operator=(counted const&) = delete;
    ~counted() { set(0); }

    void set(Number part) noexcept
    {
        total_ += part - part_;
        part_ = part;
    }
    [[nodiscard]] Number get() const noexcept { return part_; }

private:
    Number& total_;
    Number part_ = 0;
};

} // namespace belay::http

#endif
