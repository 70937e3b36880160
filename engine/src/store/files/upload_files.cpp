#include "store/files/upload_files.hpp"

#include "base/file_failure.hpp"
#include "store/files/directories.hpp"

#include <belay/error.hpp>

#include <array>
#include <cstddef>
#include <system_error>

namespace belay::detail {

namespace {

constexpr char const* data_name = "upload";
constexpr char const* index_name = "upload.index";

/// Short writes are gathered.
constexpr std::size_t waiting_bytes_of_upload = 64 * 1024;
constexpr std::size_t waiting_bytes_of_index = 4 * 1024;

/// The disk is told to begin with as much, so that the last sync finds little to do.
constexpr std::uint64_t write_back_bytes = std::uint64_t{4} * 1024 * 1024;

void append_number(std::string& to, std::uint64_t number)
{
    for (unsigned shift = 0; shift != 64; shift += 8)
        to += static_cast<char>(number >> shift & 0xff);
}

std::uint64_t number_at(char const* bytes) noexcept
{
    std::uint64_t number = 0;
    for (unsigned place = 8; place-- != 0;)
        number = number << 8 | static_cast<unsigned char>(bytes[place]);
    return number;
}

file open_kept(std::filesystem::path const& path)
{
    file opened(path, O_RDONLY);
    if (!opened.is_open())
        throw upload_error(
            failure_of(errno),
            "the uploaded files can't be opened: " + std::system_category().message(errno), path);
    return opened;
}

file made_draft(std::filesystem::path const& path)
{
    file made(path, O_WRONLY | O_CREAT | O_EXCL);
    if (!made.is_open())
        fail(path, "can't be made");
    return made;
}

std::filesystem::path index_of(std::filesystem::path const& path)
{
    return path.string() + ".index";
}

} // namespace

upload_files::upload_files(std::filesystem::path const& folder)
    : folder_(folder),
      data_(std::make_shared<file const>(open_kept(folder / data_name))),
      index_(open_kept(folder / index_name)),
      data_bytes_(data_->size())
{
    std::array<char, upload_index::header_bytes> header{};
    std::uint64_t const bytes = index_.size();
    if (!index_.read(0, header.data(), header.size()) ||
        std::string_view(header.data(), upload_index::magic.size()) != upload_index::magic)
        refuse("has no header of its kind");
    count_ = number_at(&header[16]);
    std::uint64_t const entries = (bytes - upload_index::header_bytes) / upload_index::entry_bytes;
    if (count_ != entries || bytes % upload_index::entry_bytes != 0)
        refuse("has " + std::to_string(bytes) + " bytes for " + std::to_string(count_) + " files");
    if (number_at(&header[24]) != data_bytes_)
        refuse("is about a file of " + std::to_string(number_at(&header[24])) + " bytes, not of " +
               std::to_string(data_bytes_));
}

file_section upload_files::section(std::uint64_t number) const
{
    std::array<char, upload_index::entry_bytes> entry{};
    if (number >= count_)
        refuse("has no file " + std::to_string(number));
    if (!index_.read(upload_index::header_bytes + number * upload_index::entry_bytes, entry.data(),
                     entry.size()))
        refuse("can't be read");
    file_section const found{number_at(entry.data()), number_at(&entry[8])};
    if (found.begin > data_bytes_ || found.size > data_bytes_ - found.begin)
        refuse("has file " + std::to_string(number) + " beyond the end");
    return found;
}

void upload_files::refuse(std::string_view what) const
{
    throw upload_error(errc::store_failed,
                       "the uploaded files are damaged: their index " + std::string(what),
                       folder_ / index_name);
}

upload_draft::upload_draft(std::filesystem::path path)
    : path_(std::move(path)), index_path_(index_of(path_)), data_(made_draft(path_))
{
    try {
        index_ = made_draft(index_path_);
        waiting_entries_.assign(upload_index::header_bytes, '\0'); // until all is known
    } catch (...) {
        remove();
        throw;
    }
}

upload_draft::upload_draft(std::filesystem::path path, std::shared_ptr<upload_files const> of)
    : path_(std::move(path)),
      index_path_(index_of(path_)),
      of_(std::move(of)),
      data_bytes_(of_->data_bytes_)
{
    auto const source = of_->folder_ / data_name;
    if (::link(source.c_str(), path_.c_str()) != 0)
        fail(source, "can't be given another name");
    try {
        data_ = file(path_, O_RDONLY);
        if (!data_.is_open())
            fail(path_, "can't be opened");
        index_ = made_draft(index_path_);
        waiting_entries_.assign(upload_index::header_bytes, '\0');
    } catch (...) {
        remove();
        throw;
    }
}

upload_draft::upload_draft(upload_draft&& other) noexcept
    : path_(std::exchange(other.path_, {})),
      index_path_(std::move(other.index_path_)),
      of_(std::move(other.of_)),
      data_(std::move(other.data_)),
      index_(std::move(other.index_)),
      waiting_(std::move(other.waiting_)),
      waiting_entries_(std::move(other.waiting_entries_)),
      data_bytes_(other.data_bytes_),
      size_(other.size_),
      count_(other.count_),
      begin_(other.begin_),
      is_open_(other.is_open_),
      flushed_(other.flushed_),
      written_back_(other.written_back_)
{
}

upload_draft::~upload_draft()
{
    if (!path_.empty())
        remove();
}

void upload_draft::remove() noexcept
{
    ::unlink(path_.c_str());
    ::unlink(index_path_.c_str());
}

void upload_draft::begin_file()
{
    end_file();
    begin_ = data_bytes_;
    is_open_ = true;
    ++count_;
}

void upload_draft::write(std::string_view bytes)
{
    data_bytes_ += bytes.size();
    size_ += bytes.size();
    if (waiting_.size() + bytes.size() <= waiting_bytes_of_upload) {
        waiting_ += bytes;
        return;
    }
    flush_data();
    if (bytes.size() <= waiting_bytes_of_upload) {
        waiting_ += bytes;
        return;
    }
    if (data_.write(bytes) != 0)
        fail(path_, "can't be written");
    flushed_ += bytes.size();
    write_back();
}

void upload_draft::take(std::uint64_t number)
{
    auto const found = of_->section(number);
    add(found);
    ++count_;
    size_ += found.size;
}

void upload_draft::end_file()
{
    if (std::exchange(is_open_, false))
        add({begin_, data_bytes_ - begin_});
}

void upload_draft::add(file_section section)
{
    append_number(waiting_entries_, section.begin);
    append_number(waiting_entries_, section.size);
    if (waiting_entries_.size() >= waiting_bytes_of_index)
        flush_index();
}

void upload_draft::flush_data()
{
    if (data_.write(waiting_) != 0)
        fail(path_, "can't be written");
    flushed_ += waiting_.size();
    waiting_.clear();
    write_back();
}

void upload_draft::flush_index()
{
    if (index_.write(waiting_entries_) != 0)
        fail(index_path_, "can't be written");
    waiting_entries_.clear();
}

/// What goes wrong here, the sync tells. That the part before is waited for keeps a slow disk from
/// being left behind.
void upload_draft::write_back() noexcept
{
    if (flushed_ - written_back_ < write_back_bytes)
        return;
    auto const from = static_cast<off_t>(written_back_);
    auto const bytes = static_cast<off_t>(flushed_ - written_back_);
    (void)::sync_file_range(data_.get(), from, bytes, SYNC_FILE_RANGE_WRITE);
    auto const before = static_cast<off_t>(write_back_bytes);
    if (from != 0)
        (void)::sync_file_range(
            data_.get(), from < before ? 0 : from - before, from < before ? from : before,
            SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
    written_back_ = flushed_;
}

void upload_draft::finish()
{
    end_file();
    if (!of_)
        flush_data();
    if (::fsync(data_.get()) != 0)
        fail(path_, "can't be synced");
    flush_index();
    std::string header(upload_index::magic);
    append_number(header, count_);
    append_number(header, data_bytes_);
    if (::pwrite(index_.get(), header.data(), header.size(), 0) !=
            static_cast<ssize_t>(header.size()) ||
        ::fsync(index_.get()) != 0)
        fail(index_path_, "can't be written");
}

void upload_draft::move_to(std::filesystem::path const& folder)
{
    if (::rename(path_.c_str(), (folder / data_name).c_str()) != 0 ||
        ::rename(index_path_.c_str(), (folder / index_name).c_str()) != 0)
        fail(folder, "can't take what was uploaded");
    path_.clear();
}

} // namespace belay::detail
