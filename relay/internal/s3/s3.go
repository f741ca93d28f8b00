// Package s3 keeps large things in a bucket of an S3 server: AWS, MinIO, Ceph, versitygw. It is the only importer of
// minio-go.
package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// Config says where the bucket is. All but Region and Prefix must be set.
type Config struct {
	Endpoint string // https://host[:port]; http:// only in tests and on loopback
	Bucket   string // which is there
	Region   string
	Prefix   string // of every name, as in sightline/
	Key      string // access key
	Secret   string
}

// Check returns an error that names what cannot be, or nil.
func (c Config) Check() error {
	u, err := url.Parse(c.Endpoint)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || strings.Trim(u.Path, "/") != "":
		return fmt.Errorf("%q: want https://host or https://host:port; the bucket has a setting of its own", c.Endpoint)
	case c.Bucket == "":
		return errors.New("s3-bucket is missing")
	case c.Key == "" || c.Secret == "":
		return errors.New("s3-access-key and s3-secret-key are missing; best in the environment")
	}
	return nil
}

// Bucket is a bucket. Its methods may be called from any goroutine; of what they carry they hold one part in memory.
type Bucket struct {
	client *minio.Client
	cfg    Config
}

// part is how much of an object travels at once, bytes. S3 takes 10,000 parts.
const part = 16 << 20

// Open prepares the way to a bucket. It asks nothing of it yet.
func Open(cfg Config) (*Bucket, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	u, err := url.Parse(cfg.Endpoint)
	if err != nil {
		return nil, err
	}
	client, err := minio.New(u.Host, &minio.Options{Creds: credentials.NewStaticV4(cfg.Key, cfg.Secret, ""), Secure: u.Scheme == "https", Region: cfg.Region,
		MaxRetries: 1}) // who calls tries again
	if err != nil {
		return nil, fmt.Errorf("S3: %w", err)
	}
	return &Bucket{client, cfg}, nil
}

func (b *Bucket) wrap(err error) error {
	var answer minio.ErrorResponse
	switch {
	case err == nil:
		return nil
	case errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound && answer.Code == "NoSuchKey":
		return fmt.Errorf("S3 bucket %s: %w", b.cfg.Bucket, fs.ErrNotExist)
	}
	return fmt.Errorf("S3 bucket %s at %s: %w", b.cfg.Bucket, b.cfg.Endpoint, err)
}

// Put keeps what is read, so many bytes of it, under a name, in the place of what was there.
func (b *Bucket) Put(ctx context.Context, name string, from io.Reader, size int64) error {
	_, err := b.client.PutObject(ctx, b.cfg.Bucket, b.cfg.Prefix+name, from, size,
		minio.PutObjectOptions{ContentType: "application/zip", PartSize: part, NumThreads: 1})
	return b.wrap(err)
}

// Get reads an object from a byte on, and says how large it is. The error is fs.ErrNotExist where there is none.
func (b *Bucket) Get(ctx context.Context, name string, offset int64) (io.ReadCloser, int64, error) {
	o, err := b.client.GetObject(ctx, b.cfg.Bucket, b.cfg.Prefix+name, minio.GetObjectOptions{})
	if err != nil {
		return nil, 0, b.wrap(err)
	}
	info, err := o.Stat()
	if err == nil && offset > 0 {
		_, err = o.Seek(min(offset, info.Size), io.SeekStart)
	}
	if err != nil {
		return nil, 0, errors.Join(b.wrap(err), o.Close())
	}
	return o, info.Size, nil
}

// Delete takes an object away. One that is not there is no error.
func (b *Bucket) Delete(ctx context.Context, name string) error {
	return b.wrap(b.client.RemoveObject(ctx, b.cfg.Bucket, b.cfg.Prefix+name, minio.RemoveObjectOptions{}))
}

// Each calls fn with every object.
func (b *Bucket) Each(ctx context.Context, fn func(name string, size int64, at time.Time)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the listing
	for o := range b.client.ListObjects(ctx, b.cfg.Bucket, minio.ListObjectsOptions{Prefix: b.cfg.Prefix, Recursive: true}) {
		if o.Err != nil {
			return b.wrap(o.Err)
		}
		fn(strings.TrimPrefix(o.Key, b.cfg.Prefix), o.Size, o.LastModified)
	}
	return nil
}
