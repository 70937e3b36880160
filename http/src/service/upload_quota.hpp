// How much of the disk the uploads of an owner may hold.
#ifndef BELAY_HTTP_SERVICE_UPLOAD_QUOTA_HPP
#define BELAY_HTTP_SERVICE_UPLOAD_QUOTA_HPP

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

namespace belay::http {

/// Counts what uploads that are under way have brought beside what the batches of their owners
/// hold.
///
/// Lifetime: shared with the claims, which may outlive the server: a creation that nobody waits for
/// any more keeps its own until the store has answered. Thread safety: full.
class upload_quota : public std::enable_shared_from_this<upload_quota> {
public:
    /// What the batches of an owner hold.
    using ask = std::function<std::uint64_t(std::string const& owner)>;

    /// What one upload takes of it; given back at its end.
    ///
    /// Thread safety: none.
    class claim {
    public:
        claim(std::shared_ptr<upload_quota> of, std::string owner)
            : quota_(std::move(of)), owner_(std::move(owner))
        {
        }
        claim(claim const&) = delete;
        claim& operator=(claim const&) = delete;
        ~claim() { end(false); }

        /// Takes as much more; false, with nothing taken, if that were more than the owner may
        /// have. May ask the engine, whose errors it throws.
        [[nodiscard]] bool grow(std::uint64_t bytes)
        {
            bool const grown = quota_->grow(owner_, is_counted_, bytes);
            is_counted_ = true;
            bytes_ += grown ? bytes : 0;
            return grown;
        }

        /// A batch holds it from here on: it is given back at once.
        void keep() noexcept { end(true); }

    private:
        void end(bool is_kept) noexcept
        {
            if (std::exchange(is_counted_, false))
                quota_->end(owner_, std::exchange(bytes_, 0), is_kept);
        }

        std::shared_ptr<upload_quota> quota_;
        std::string owner_;
        std::uint64_t bytes_ = 0;
        bool is_counted_ = false; ///< the owner has an entry, with what batches held then
    };

    upload_quota(std::uint64_t bytes_max, ask kept) : bytes_max_(bytes_max), ask_(std::move(kept))
    {
    }

    [[nodiscard]] std::shared_ptr<claim> begin(std::string owner)
    {
        return std::make_shared<claim>(shared_from_this(), std::move(owner));
    }

    [[nodiscard]] std::uint64_t bytes_max() const noexcept { return bytes_max_; }

    /// What an owner has of it, as far as is known.
    [[nodiscard]] std::uint64_t held(std::string const& owner) const
    {
        std::scoped_lock const lock(mutex_);
        auto const found = owners_.find(owner);
        return found == owners_.end() ? 0 : found->second.kept + found->second.under_way;
    }

private:
    struct account {
        std::uint64_t kept = 0; ///< when it was last asked, and what was kept since
        std::uint64_t under_way = 0;
        std::uint64_t claims = 0;
    };

    [[nodiscard]] bool grow(std::string const& owner, bool is_counted, std::uint64_t bytes)
    {
        if (!is_counted)
            look(owner, 1);
        else if (!fits(owner, bytes))
            look(owner, 0); // some of it may have been deleted
        std::scoped_lock const lock(mutex_);
        account& of = owners_.at(owner);
        if (!fits(of, bytes))
            return false;
        of.under_way += bytes;
        return true;
    }

    void look(std::string const& owner, std::uint64_t new_claims)
    {
        std::unique_lock lock(mutex_);
        while (true) {
            auto const ended = kept_claims_;
            lock.unlock();
            std::uint64_t const kept = ask_(owner);
            lock.lock();
            if (kept_claims_ != ended)
                continue; // what batches have taken over meanwhile may not be in the answer
            account& of = owners_[owner];
            of.kept = kept;
            of.claims += new_claims;
            return;
        }
    }

    [[nodiscard]] bool fits(std::string const& owner, std::uint64_t bytes) const
    {
        std::scoped_lock const lock(mutex_);
        return fits(owners_.at(owner), bytes);
    }
    [[nodiscard]] bool fits(account const& of, std::uint64_t bytes) const noexcept
    {
        std::uint64_t const held = of.kept + of.under_way;
        return held <= bytes_max_ && bytes <= bytes_max_ - held;
    }

    void end(std::string const& owner, std::uint64_t bytes, bool is_kept) noexcept
    {
        std::scoped_lock const lock(mutex_);
        auto const found = owners_.find(owner);
        account& of = found->second;
        of.under_way -= bytes;
        of.kept += is_kept ? bytes : 0;
        kept_claims_ += is_kept ? 1 : 0;
        if (--of.claims == 0)
            owners_.erase(found);
    }

    std::uint64_t const bytes_max_;
    ask const ask_;
    mutable std::mutex mutex_;
    std::uint64_t kept_claims_ = 0;         ///< so far, of all owners; guarded by mutex_
    std::map<std::string, account> owners_; ///< with uploads under way; guarded by mutex_
};

} // namespace belay::http

#endif
